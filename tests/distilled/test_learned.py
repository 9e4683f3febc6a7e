"""Soft labels and learned numbers, from the set through its folder to every export."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor
from torchvision.datasets import ImageFolder

from datastill import DistilledSet, UserError, export
from datastill.files import load_tensors, save_tensors
from tiny_sets import data_set, distilled_set, same_bits, soft_set

SOFT = ("probabilities", "weights", "logits", "scores")


@pytest.mark.parametrize("kind", SOFT)
def test_labels_and_numbers_come_back_bit_for_bit(tmp_path: Path, kind: str) -> None:
    before = soft_set(kind, learning_rate=0.1, temperature=-3.5)
    after = DistilledSet.load(before.save(tmp_path))
    assert same_bits(after.labels, before.labels)
    assert same_bits(after.images, before.images)
    assert (after.label_kind, after.track, after.learning_rate) == (kind, "soft", 0.1)
    assert dict(after.numbers) == {"learning_rate": 0.1, "temperature": -3.5}
    tensors, header = load_tensors(tmp_path / "images.safetensors")
    assert set(tensors) == {"images", "labels", "numbers.learning_rate", "numbers.temperature"}
    assert header["labels"] == kind
    card = (tmp_path / "README.md").read_text()
    assert f"| labels | soft ({kind}: " in card
    assert "| learning rate, learned | 0.1 |" in card


def test_a_set_with_hard_labels_is_kept_as_ever_and_says_so(tmp_path: Path) -> None:
    distilled_set().save(tmp_path)
    tensors, header = load_tensors(tmp_path / "images.safetensors")
    assert set(tensors) == {"images", "labels"}
    assert header["labels"] == "hard"
    assert "| labels | hard |" in (tmp_path / "README.md").read_text()
    assert (distilled_set().track, distilled_set().learning_rate) == ("hard", None)


def test_parts_share_the_label_of_their_image_and_a_rendering_keeps_all(tmp_path: Path) -> None:
    whole = soft_set(factor=2, size=(8, 8), learning_rate=0.02)
    images, labels = whole.expanded()
    assert len(images) == len(labels) == 24
    assert all(torch.equal(labels[row], whole.labels[row // 4]) for row in range(24))
    for other in (whole.rendered(), whole.of_parts()):
        assert (other.label_kind, other.learning_rate) == ("probabilities", 0.02)
    assert torch.equal(whole.of_parts().labels, labels)
    assert whole.rows_by_class() == [[0, 1], [2, 3], [4, 5]]


def written(path: Path, labels: Tensor, kind: str, **numbers: Tensor) -> Path:
    """A file of other content, with the right checksum of it."""
    origin = load_tensors(distilled_set().save(path.parent / "as it is") / "images.safetensors")[1]["origin"]
    text = {"format": "datastill-1", "origin": origin, "labels": kind}
    save_tensors(path, {"images": distilled_set().images, "labels": labels, **numbers}, text)
    return path


GOOD = soft_set().labels
RATE = torch.tensor(0.1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("labels", "kind", "numbers", "message"),
    [
        (GOOD, "sums", {}, "a known kind"),
        (GOOD, "hard", {}, "must be int64"),
        (distilled_set().labels, "probabilities", {}, r"must be float32 \(6, 3\)"),
        (2 * GOOD, "probabilities", {}, "from 0 to 1"),
        (GOOD / 2, "probabilities", {}, "must sum to one"),
        (GOOD - 1, "weights", {}, "from 0 to 1"),
        (GOOD * float("inf"), "scores", {}, "NaN or infinite"),
        (GOOD[:, :2].contiguous(), "scores", {}, r"\(6, 3\)"),
        (GOOD.half(), "scores", {}, "float16"),
        (GOOD, "probabilities", {"more": torch.zeros(3)}, "is damaged: expected images, labels and finite float64 numbers"),
        (GOOD, "probabilities", {"numbers.learning_rate": torch.zeros(3)}, "'learning_rate', torch.float32"),
        (GOOD, "probabilities", {"numbers.learning_rate": RATE / 0}, "is damaged"),
        (GOOD, "probabilities", {"learning_rate": RATE}, "is damaged"),
        (GOOD, "probabilities", {"numbers.Rate of it": RATE}, "named like learning_rate, got 'Rate of it'"),
    ],
)
def test_what_cannot_be_right_is_refused(tmp_path: Path, labels: Tensor, kind: str, numbers: dict[str, Tensor], message: str) -> None:
    path = written(tmp_path / "images.safetensors", labels, kind, **numbers)
    with pytest.raises(UserError, match=message) as caught:
        DistilledSet.load(path)
    assert str(path) in str(caught.value)


def test_a_learned_number_is_finite() -> None:
    with pytest.raises(UserError, match="finite and named like learning_rate, got 'learning_rate' = nan"):
        soft_set(learning_rate=float("nan"))


def test_what_was_written_before_there_were_soft_labels_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "images.safetensors", distilled_set().labels, "hard")
    tensors, header = load_tensors(path)
    save_tensors(path, tensors, {key: value for key, value in header.items() if key != "labels"})
    assert DistilledSet.load(path).label_kind == "hard"


def test_the_parquet_has_the_class_and_every_value(tmp_path: Path) -> None:
    whole = soft_set()
    table = pq.read_table(export(whole, tmp_path / "hub", "parquet") / "data")
    assert table["label"].to_pylist() == [0, 0, 1, 1, 2, 2]
    assert torch.equal(torch.tensor(table["soft_label"].to_pylist()), whole.labels)
    assert "`soft_label` has every value" in (tmp_path / "hub" / "README.md").read_text()
    assert pq.read_table(distilled_set().save(tmp_path / "hard") / "data").column_names == ["image", "label"]


@pytest.mark.filterwarnings("default")
def test_load_dataset_reads_soft_labels(tmp_path: Path, hub: Any) -> None:
    train = hub.load_dataset(str(soft_set().save(tmp_path / "set")), cache_dir=str(tmp_path / "cache"))["train"]
    assert torch.allclose(torch.tensor(train["soft_label"][:]), soft_set().labels)


def test_the_image_folder_has_classes_and_every_value_beside_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = replace(soft_set("scores", learning_rate=0.02), labels=soft_set("scores").labels.roll(1, 0))
    target = export(whole, tmp_path / "folder", "folder")
    assert [label for _, label in ImageFolder(str(target)).samples] == whole.made_of.tolist()
    content: dict[str, Any] = json.loads((target / "labels.json").read_text())
    assert (content["kind"], content["class_names"], content["numbers"]) == ("scores", ["cat", "dog", "ship"], {"learning_rate": 0.02})
    rows = [row for rows in whole.rows_by_class() for row in rows]
    assert torch.equal(torch.tensor(list(content["labels"].values())), whole.labels[rows])
    assert list(content["labels"]) == [f"{name}/000{number}.png" for name in ("cat", "dog", "ship") for number in range(2)]
    assert "soft labels and learned numbers are only in " in caplog.text
    assert not (export(distilled_set(), tmp_path / "hard", "folder") / "labels.json").exists()


@pytest.mark.parametrize(("kind", "said"), [("probabilities", ""), ("logits", ""), ("weights", "are weights"), ("scores", "are scores")])
def test_a_tensor_file_trains_torchs_cross_entropy_to_the_same_loss(
    tmp_path: Path, kind: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = soft_set(kind)
    images, labels = torch.load(export(whole, tmp_path / "set.pt", "dc"), weights_only=True)["data"][0]
    assert same_bits(images, whole.images)
    assert torch.equal(labels, whole.labels.softmax(1) if kind == "logits" else whole.labels)
    assert (said in caplog.text) if said else not caplog.text
    back = DistilledSet.load_foreign(tmp_path / "set.pt", data_set(), label_kind=kind if said else None)
    assert back.label_kind == (kind if said else "probabilities")


def test_a_tensor_file_says_that_it_leaves_numbers_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        export(soft_set(learning_rate=0.02), tmp_path / "set.pt", "dc")
    assert "cannot hold the learned numbers (learning_rate)" in caplog.text
