from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datastill import provenance
from datastill.data import DataSet
from datastill.data.images import fingerprint
from datastill.engine import Engine
from datastill.evaluation import Evaluation, Protocol, Scorer
from datastill.evaluation.evaluate import evaluate, evaluate_across
from datastill.evaluation.ledger import Ledger, key
from doubles import KilledError
from tiny_sets import distilled_set

QUICK = Protocol(epochs=2)
MATRIX = torch.tensor([[3, 1], [0, 4]])


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by the path of every network that is trained."""
    paths: list[object] = []
    train: Callable[..., None] = Scorer._train

    def watched(scorer: Scorer, images: object, labels: object, path: object, bar: object, **options: Any) -> None:
        if len(paths) == 3:
            raise KilledError
        paths.append(path)
        train(scorer, images, labels, path, bar, **options)

    monkeypatch.setattr(Scorer, "_train", watched)
    return paths


def quick(data: DataSet, keep: Path | None, **options: Any) -> Evaluation:
    settings: dict[str, Any] = {"repeats": 2, "compare": ("random",), "protocol": QUICK, "engine": Engine(), **options}
    return evaluate(distilled_set(), data=data, keep=keep, **settings)


def test_a_killed_evaluation_trains_only_what_is_missing(tmp_path: Path, data: DataSet, trained: list[object]) -> None:
    keep = tmp_path / "deep" / "score.json.partial"
    with pytest.raises(KilledError):
        quick(data, keep)  # before the last of four networks
    trained.clear()
    found = quick(data, keep)
    assert trained == [(0, 1)]
    trained.clear()
    assert quick(data, keep).describe() == found.describe()
    assert trained == []
    assert quick(data, keep, repeats=3, compare=()).score.accuracies[:2] == found.score.accuracies
    assert trained == [(0, 2)]


def test_the_figures_are_those_of_an_evaluation_that_was_not_killed(tmp_path: Path, data: DataSet) -> None:
    kept = [quick(data, tmp_path / "kept").describe() for _ in range(2)]
    assert kept == [quick(data, None).describe()] * 2


def test_kinds_of_network_share_a_file(tmp_path: Path, data: DataSet, trained: list[object]) -> None:
    options: dict[str, Any] = {"data": data, "repeats": 1, "protocol": QUICK, "engine": Engine(), "keep": tmp_path / "kept"}
    first = evaluate_across(distilled_set(), ("convnet", "vgg11"), **options)
    assert len(trained) == 2
    again = evaluate_across(distilled_set(), ("vgg11", "convnet"), **options)
    assert len(trained) == 2
    assert {name: result.describe() for name, result in again.items()} == {name: result.describe() for name, result in first.items()}


def test_whatever_a_figure_depends_on_is_in_its_name(data: DataSet) -> None:
    content = distilled_set()
    given: dict[str, Any] = {"data": data, "tested": fingerprint(data.test, data.class_names), "protocol": QUICK, "engine": Engine()}
    changes: list[dict[str, Any]] = [
        {"data": replace(data, mean=(0.5, 0.5, 0.5))},
        {"data": replace(data, std=(0.5, 0.5, 0.5))},
        {"data": replace(data, flip=False)},
        {"tested": fingerprint(data.validation, data.class_names)},
        {"protocol": Protocol("vgg11", epochs=2)},
        {"protocol": Protocol(epochs=3)},
        {"protocol": Protocol(epochs=2, augment=False)},
        {"engine": Engine(precision=torch.bfloat16)},
    ]
    names = [key(content.images, content.labels, (0, 0), **{**given, **change}) for change in ({}, *changes)]
    names.append(key(content.images, content.labels, (0, 1), **given))
    names.append(key(content.images, content.labels.flip(0), (0, 0), **given))
    names.append(key(content.images + 1e-6, content.labels, (0, 0), **given))
    assert len(set(names)) == len(names) == 12
    assert key(content.images.clone(), content.labels.clone(), (0, 0), **given) == names[0]
    # the training split has no part in it: what the set was distilled from is in its images
    assert key(content.images, content.labels, (0, 0), **{**given, "data": replace(data, fingerprint="f" * 16)}) == names[0]


@pytest.mark.parametrize("of", ["commit", "package_version"])
def test_networks_of_another_program_are_trained_again(
    tmp_path: Path, data: DataSet, trained: list[object], monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    first = quick(data, tmp_path / "kept", repeats=1, compare=())
    monkeypatch.setattr(provenance, of, lambda: "another")
    again = quick(data, tmp_path / "kept", repeats=1, compare=())
    assert trained == [(0, 0)] * 2
    assert again.score.accuracies == first.score.accuracies


def test_networks_that_were_tested_on_other_pixels_are_tested_again(tmp_path: Path, data: DataSet, trained: list[object]) -> None:
    pixels = data.test.storage.clone()
    pixels[-1, 0, 0, 0] += 1  # as many images, of the same classes, at the same places
    changed = replace(data, test=replace(data.test, storage=pixels))
    assert (changed.name, changed.fingerprint, changed.test.counts) == (data.name, data.fingerprint, data.test.counts)
    for each in (data, changed, data):
        quick(each, tmp_path / "kept", repeats=1, compare=())
    assert trained == [(0, 0)] * 2


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "kept")
    assert ledger.find("one") is None
    ledger.keep("one", MATRIX)
    ledger.keep("two", MATRIX + 1)
    again = Ledger(tmp_path / "kept")
    for name, matrix in (("one", MATRIX), ("two", MATRIX + 1)):
        found = again.find(name)
        assert found is not None
        assert torch.equal(found, matrix)
    assert again.find("three") is None
    again.remove()
    again.remove()  # nothing is there any more
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_nothing_is_written(working_folder: Path) -> None:
    ledger = Ledger(None)
    ledger.keep("one", MATRIX)
    assert ledger.find("one") is not None
    ledger.remove()
    assert list(working_folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"null", b'[{"network": "one"}]', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_said_and_begun_anew(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "kept").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        ledger = Ledger(tmp_path / "kept")
    assert f"{tmp_path / 'kept'} is damaged" in caplog.text
    assert ledger.find("one") is None
    ledger.keep("one", MATRIX)
    found = Ledger(tmp_path / "kept").find("one")
    assert found is not None
    assert torch.equal(found, MATRIX)


def test_a_changed_figure_is_left_out_and_the_others_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "kept")
    ledger.keep("one", MATRIX)
    ledger.keep("two", MATRIX + 1)
    (tmp_path / "kept").write_text((tmp_path / "kept").read_text().replace("[3, 1]", "[9, 1]"))
    with caplog.at_level(logging.WARNING):
        again = Ledger(tmp_path / "kept")
    assert "kept is damaged; 1 of the 2 networks in it will be trained again" in caplog.text
    assert again.find("one") is None
    assert again.find("two") is not None


def test_a_matrix_of_other_test_images_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(tmp_path / "kept")
    ledger.keep("one", MATRIX)
    assert ledger.find("one", (4, 4)) is not None
    with caplog.at_level(logging.WARNING):
        assert ledger.find("one", (4, 5)) is None
    assert "was tested on other images; it will be trained again" in caplog.text


def test_a_file_of_an_earlier_version_is_said_and_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "kept").write_text('{"one": [[3, 1], [0, 4]]}')
    with caplog.at_level(logging.WARNING):
        assert Ledger(tmp_path / "kept").find("one") is None
    assert "was written by an earlier version, without checksums; the networks in it will be trained again" in caplog.text
