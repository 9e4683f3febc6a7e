"""`datasets` keeps what it once read under the name of the folder: no set may be taken for another one of its name, or an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datastill import DistilledSet, export
from tiny_sets import distilled_set

pytestmark = pytest.mark.filterwarnings("default")


def holds(read: Any, expected: DistilledSet) -> bool:
    """Whether rows of `datasets` are the images of a set, in its order."""
    arrays = [np.asarray(row["image"]) for row in read]
    return len(arrays) == len(expected.images) and all(
        np.array_equal(array, pixels.permute(1, 2, 0).numpy()) for array, pixels in zip(arrays, expected.pixels, strict=True)
    )


def test_two_sets_of_one_folder_name_are_told_apart(tmp_path: Path, hub: Any) -> None:
    first, second = distilled_set(seed=1), distilled_set(seed=2)
    for name, whole in (("a", first), ("b", second)):
        folder = whole.save(tmp_path / "runs" / name / "distilled")
        assert holds(hub.load_dataset(str(folder), split="train"), whole)
    assert holds(hub.load_dataset(str(tmp_path / "runs" / "a" / "distilled"), split="train"), first)


def test_a_set_that_changed_in_place_is_read_again(tmp_path: Path, hub: Any) -> None:
    for seed, names in ((1, ("cat", "dog", "ship")), (2, ("cat", "dog", "ship")), (2, ("cat", "cow", "ship"))):
        whole = distilled_set(names, seed=seed)
        read = hub.load_dataset(str(whole.save(tmp_path / "distilled")), split="train")
        assert holds(read, whole)
        assert read.features["label"].names == list(names)
        assert len(list((tmp_path / "distilled" / "data").iterdir())) == 1


def test_exports_of_one_name_are_told_apart_too(tmp_path: Path, hub: Any) -> None:
    for format in ("parquet", "folder"):
        for seed in (1, 2):
            whole = distilled_set(seed=seed)
            folder = export(whole, tmp_path / format / str(seed) / "exported", format)
            read = hub.load_dataset(str(folder), split="train")
            assert holds(read, whole)
            assert read.features["label"].names == ["cat", "dog", "ship"]


def test_a_saved_set_has_no_parquet_of_an_earlier_one_beside_it_but_what_is_not_ours_stays(tmp_path: Path) -> None:
    data = distilled_set(seed=1).save(tmp_path) / "data"
    for name in ("train-00000-of-00001.parquet", "train-00000-of-00001-0123456789abcdef.parquet", "test-00000-of-00001.parquet", "notes"):
        (data / name).touch()
    distilled_set(seed=2).save(tmp_path)
    assert {path.name for path in data.iterdir() if not path.stat().st_size} == {"test-00000-of-00001.parquet", "notes"}
    assert len(list(data.iterdir())) == 3
