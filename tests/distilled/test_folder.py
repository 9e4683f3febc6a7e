from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional

from datastill import DistilledSet, distill
from datastill.errors import UserError
from datastill.files import save_tensors
from datastill.methods import method
from datastill.provenance import package_version
from tiny_sets import data_set, distilled_set, same_bits

HEADER: dict[str, Any] = {
    "data": "cifar10",
    "fingerprint": "0123456789abcdef",
    "class_names": ["cat", "dog", "ship"],
    "mean": [0.4914, 0.4822, 0.4465],
    "std": [0.2023, 0.1994, 0.2010],
    "flip": True,
    "method": "dm+iid",
    "seed": 7,
    "iterations": 11,
    "factor": 1,
    "version": "1.2.3",
    "held_out": 0.1,
    "kind": "",
}


def write(
    path: Path,
    *,
    images: Tensor | None = None,
    labels: Tensor | None = None,
    header: object = HEADER,
    format: str = "datastill-1",
) -> Path:
    """Write a file of other content, with the right checksum of it."""
    content = distilled_set()
    tensors = {"images": content.images if images is None else images, "labels": content.labels if labels is None else labels}
    save_tensors(path, tensors, {"format": format, "origin": header if isinstance(header, str) else json.dumps(header)})
    return path


def test_a_set_comes_back_bit_for_bit_from_run_folder_set_folder_and_file(tmp_path: Path) -> None:
    before = distilled_set(("a cat", "ünï/⛵", "."), ipc=3)
    before.images.view(-1)[:5] = torch.tensor([-0.0, 1e-42, 3.4e38, -1e-30, 123456.789])
    folder = before.save(tmp_path / "run" / "distilled")
    for path in (tmp_path / "run", folder, folder / "images.safetensors", str(folder)):
        after = DistilledSet.load(path)
        assert same_bits(after.images, before.images)
        assert torch.equal(after.labels, before.labels)
        assert after.labels.dtype == torch.int64
        assert after.origin == before.origin


def test_the_folder_describes_itself(tmp_path: Path) -> None:
    folder = distilled_set().save(tmp_path / "distilled")
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    (parquet,) = (path for path in found if path.endswith(".parquet"))
    assert found == {"README.md", "grid.png", "images.safetensors", parquet}
    assert re.fullmatch(r"data/train-00000-of-00001-[0-9a-f]{16}\.parquet", parquet)
    with safe_open(folder / "images.safetensors", framework="pt") as file:
        metadata = file.metadata()
        assert file.get_tensor("images").dtype == torch.float32
        assert file.get_tensor("labels").tolist() == [0, 0, 1, 1, 2, 2]
    assert metadata["format"] == "datastill-1"
    assert json.loads(metadata["origin"]) == HEADER
    card = (folder / "README.md").read_text()
    for fact in (
        "cifar10",
        "dm+iid",
        "| 7 |",
        "| 11 |",
        "| partition factor | 1 |",
        "1.2.3",
        "0123456789abcdef",
        "(0.4914, 0.4822, 0.4465)",
    ):
        assert fact in card


def test_saving_again_replaces_the_set_before(tmp_path: Path) -> None:
    distilled_set(seed=1).save(tmp_path)
    second = distilled_set(seed=2)
    second.save(tmp_path)
    assert same_bits(DistilledSet.load(tmp_path).images, second.images)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_run_leaves_its_facts_in_the_header(tmp_path: Path) -> None:
    data = data_set()
    made = distill(data, method=method("dm", settings=["real_batch=2"]), ipc=2, iterations=1, seed=5, out=tmp_path)
    origin = DistilledSet.load(tmp_path).origin
    assert origin == made.origin
    assert (origin.data, origin.fingerprint, origin.class_names) == ("tiny", data.fingerprint, ("cat", "dog", "ship"))
    assert (origin.method, origin.seed, origin.iterations, origin.factor) == ("dm", 5, 1, 1)
    assert (origin.mean, origin.std, origin.flip, origin.version) == (data.mean, data.std, True, package_version())


def test_networks_are_trained_on_the_enlarged_parts(tmp_path: Path) -> None:
    whole = distilled_set(size=(8, 12), factor=2)
    images, labels = whole.expanded()
    assert images.shape == (24, 3, 8, 12)
    assert labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    for position, image in enumerate(whole.images):
        for part, (top, left) in enumerate([(0, 0), (0, 6), (4, 0), (4, 6)]):
            cell = image[None, :, top : top + 4, left : left + 6]
            assert torch.equal(images[4 * position + part], functional.interpolate(cell, scale_factor=2, mode="bilinear")[0])
    kept = DistilledSet.load(whole.save(tmp_path))
    assert kept.origin.factor == kept.rendered().origin.factor == 2
    assert torch.equal(kept.expanded()[0], images)
    card = (tmp_path / "README.md").read_text()
    assert "| partition factor | 2 |" in card
    assert "a grid of 2x2 parts" in card
    assert "gives those 24 images" in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": torch.zeros(6, 3, 8, 6, dtype=torch.float64)}, "float64"),
        ({"images": torch.zeros(6, 3, 8, 6, dtype=torch.uint8)}, "uint8"),
        ({"images": torch.zeros(6, 3, 48)}, r"\(6, 3, 48\)"),
        ({"images": torch.zeros(6, 1, 8, 6)}, r"\(6, 1, 8, 6\)"),
        ({"images": torch.zeros(0, 3, 8, 6), "labels": torch.zeros(0, dtype=torch.int64)}, r"\(0, 3, 8, 6\)"),
        ({"images": torch.zeros(6, 3, 0, 6)}, r"\(6, 3, 0, 6\)"),
        ({"images": torch.full((6, 3, 8, 6), float("nan"))}, "864 pixel values are NaN or infinite"),
        ({"images": torch.full((6, 3, 8, 6), -float("inf"))}, "864 pixel values are NaN or infinite"),
        ({"labels": torch.zeros(6, dtype=torch.int32)}, "int32"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, r"\(5,\)"),
        ({"labels": torch.zeros(6, 1, dtype=torch.int64)}, r"\(6, 1\)"),
        ({"labels": torch.tensor([0, 0, 1, 1, 2, 3])}, "0 to 2, got 0 to 3"),
        ({"labels": torch.tensor([0, 0, 1, 1, 2, -1])}, "0 to 2, got -1 to 2"),
        ({"format": "datastill-9"}, "not a distilled set of this program"),
        ({"header": HEADER | {"std": [0.2, 0.0, 0.2]}}, "above 0"),
        ({"header": HEADER | {"std": [0.2, 0.2]}}, "3 numbers above 0"),
        ({"header": HEADER | {"class_names": []}}, "at least one class"),
        ({"header": HEADER | {"factor": 2}}, "images of 8x6 pixels cannot have 2 parts a side"),
        ({"header": HEADER | {"factor": 10**9}}, "cannot have 1000000000 parts a side"),
        ({"header": HEADER | {"factor": 0}}, "cannot have 0 parts a side"),
        ({"header": HEADER | {"factor": -1}}, "cannot have -1 parts a side"),
        ({"header": HEADER | {"mean": [0.5, 0.5], "std": [1, 1]}, "images": torch.zeros(6, 2, 8, 6)}, "1 or 3 channels"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "images.safetensors", **changes)
    with pytest.raises(UserError, match=message) as caught:
        DistilledSet.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "no JSON",
        "[" * 100_000,
        "[]",
        "null",
        {},
        {key: value for key, value in HEADER.items() if key != "seed"},
        HEADER | {"class_names": "cat"},
        HEADER | {"class_names": ["cat", "dog", 3]},
        HEADER | {"class_names": [["cat"], ["dog"], ["ship"]]},
        HEADER | {"class_names": {"cat": 0, "dog": 1, "ship": 2}},
        HEADER | {"mean": ["0.5", "0.5", "0.5"]},
        HEADER | {"mean": [None, None, None]},
        HEADER | {"mean": [float("nan")] * 3},
        HEADER | {"std": [float("inf")] * 3},
        HEADER | {"std": [10**400] * 3},
        HEADER | {"mean": 0.5},
        HEADER | {"flip": "yes"},
        HEADER | {"seed": {"$ref": "x"}},
        HEADER | {"iterations": True},
        HEADER | {"data": ["cifar10"]},
        HEADER | {"factor": 1.5},
        HEADER | {"version": None},
    ],
    ids=lambda header: str(header)[-60:],
)
def test_a_header_of_other_types_is_refused(tmp_path: Path, header: object) -> None:
    path = write(tmp_path / "images.safetensors", header=header)
    with pytest.raises(UserError, match=r"the header of .* is damaged"):
        DistilledSet.load(path)


def test_a_header_with_more_in_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "images.safetensors", header=HEADER | {"a later version's": "field"})
    assert DistilledSet.load(path).origin == distilled_set().origin


def test_a_file_without_header_or_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images.safetensors"
    content = distilled_set()
    save_tensors(path, {"images": content.images, "labels": content.labels}, {})
    with pytest.raises(UserError, match="not a distilled set of this program"):
        DistilledSet.load(path)
    save_tensors(path, {"images": content.images}, {"format": "datastill-1", "origin": json.dumps(HEADER)})
    with pytest.raises(UserError, match="not a distilled set of this program"):
        DistilledSet.load(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return (distilled_set().save(tmp_path_factory.mktemp("saved")) / "images.safetensors").read_bytes()


def damaged(content: bytes, how: str) -> bytes:
    return {
        "truncated": content[:-7],
        "half": content[: len(content) // 2],
        "empty": b"",
        "garbage": bytes(np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8)),
        "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\n",
        "pickle": pickle.dumps({"images": [1, 2, 3]}),
        "one bit": content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
        "another header": content.replace(b"cifar10", b"cifar11"),
    }[how]


@pytest.mark.parametrize("how", ["truncated", "half", "empty", "garbage", "text", "pickle", "one bit", "another header"])
def test_a_damaged_file_is_refused(tmp_path: Path, saved: bytes, how: str) -> None:
    content = damaged(saved, how)
    assert content != saved
    (tmp_path / "images.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"truncated or not a safetensors file|does not match its checksum"):
        DistilledSet.load(tmp_path)


def test_a_missing_set_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no distilled set at .*nowhere; expected a run's folder"):
        DistilledSet.load(tmp_path / "nowhere")
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match=r"not finished: continue it with `datastill\.resume`"):
        DistilledSet.load(tmp_path)
