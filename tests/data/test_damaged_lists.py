"""Files that say what a published data set is, damaged: one line, whatever the dimensions, labels and names in them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from datastill.data import load
from datastill.errors import UserError
from published_layouts import IDX, idx, write_mnist, write_tinyimagenet


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The four files of a small MNIST."""
    monkeypatch.setenv("DATASTILL_DATA", str(tmp_path))
    return write_mnist(tmp_path / "mnist")


def test_the_small_mnist_is_read(raw: Path) -> None:
    data = load("mnist", validation=0.1)
    assert (len(data.train) + len(data.validation), len(data.test), data.size) == (30, 20, (28, 28))


SIZES: tuple[tuple[int, ...], ...] = (
    (0, 28, 28),
    (30, 0, 28),
    (30, 28),
    (30, 14, 56),
    (15, 56, 28),
    (30, 28, 28, 1),
    (23520,),
    (29, 28, 28),
    (1, 28, 28),
)


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", [name for name in IDX if "images" in name])
def test_images_of_other_dimensions_are_refused(raw: Path, name: str, shape: tuple[int, ...]) -> None:
    (raw / name).write_bytes(idx(np.zeros(shape, dtype=np.uint8)))
    with pytest.raises(UserError, match=r"^the files of the data set 'mnist' in [^\n]* are damaged \([^\n]*\); remove them and repeat$"):
        load("mnist")


@pytest.mark.parametrize("labels", [[10] * 30, [255] * 30, [], [1] * 29, [1] * 31])
@pytest.mark.parametrize("name", [name for name in IDX if "labels" in name])
def test_labels_that_do_not_belong_to_the_images_are_refused(raw: Path, name: str, labels: list[int]) -> None:
    (raw / name).write_bytes(idx(np.array(labels, dtype=np.uint8)))
    with pytest.raises(UserError, match=r"the files of the data set 'mnist' in .* are damaged"):
        load("mnist")


@pytest.mark.parametrize("name", IDX)
@pytest.mark.parametrize("dimension", [0, 7, 2**31, 2**32 - 1])
def test_a_dimension_that_the_bytes_do_not_have_is_refused(raw: Path, name: str, dimension: int) -> None:
    content = (raw / name).read_bytes()
    (raw / name).write_bytes(content[:4] + struct.pack(">I", dimension) + content[8:])
    with pytest.raises(UserError, match=r"the files of the data set 'mnist' in .* are damaged"):
        load("mnist")


ODD_NAMES = ("x" * 300, "ü" * 200, "..", "a/b", "../../elsewhere", "n\0", "a\\b")


@pytest.mark.parametrize("name", ODD_NAMES, ids=lambda name: repr(name)[:20])
def test_a_class_or_file_that_cannot_be_called_so_is_one_line(tmp_path: Path, name: str) -> None:
    root = write_tinyimagenet(tmp_path / "tiny")
    assert load(f"tinyimagenet:{root}", validation=0).classes == 3
    wnids, annotations = (root / "wnids.txt").read_text(), (root / "val" / "val_annotations.txt").read_text()
    (root / "wnids.txt").write_text(f"{wnids}{name}\n")
    with pytest.raises(UserError, match=r"wnids.txt: '.*' cannot be the name of a file; expected the published layout"):
        load(f"tinyimagenet:{root}")
    (root / "wnids.txt").write_text(wnids)
    (root / "val" / "val_annotations.txt").write_text(f"{annotations}{name}\tn01\n")
    with pytest.raises(UserError, match=r"val_annotations.txt: '.*' cannot be the name of a file"):
        load(f"tinyimagenet:{root}")


def test_a_class_that_is_listed_twice_would_shift_the_labels_of_the_test_split(tmp_path: Path) -> None:
    root = write_tinyimagenet(tmp_path / "tiny")
    (root / "wnids.txt").write_text("n01\nn01\nn02\nn03\n")
    with pytest.raises(UserError, match=r"wnids.txt names the class n01 twice"):
        load(f"tinyimagenet:{root}")


ODD_PATHS = ("~nosuchuser/x", "x" * 300, "a\0b", "\udce9")


@pytest.mark.parametrize(
    "name",
    [
        *(f"{kind}:{path}" for kind in ("folder", "parquet", "tinyimagenet", "arrow") for path in ODD_PATHS),
        "digits@" + "9" * 5000, "digits[" + "9" * 5000 + "]", "cifar10[0-99999999999999999999]", "folder:" + "a/" * 3000,
    ],
    ids=lambda name: repr(name)[:24],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]+$"):
        load(name)
