"""A folder that is named as another kind of data than it holds: the message has the name that would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from datastill.data import load
from datastill.errors import UserError

FILES = {
    "arrow": ("dataset_dict.json", "train/state.json"),
    "parquet": ("default/train/0000.parquet",),
    "folder": ("cat/1.PNG", "dog/2.png"),
}


def made(root: Path, kind: str) -> Path:
    """A folder with files whose names are those of a kind of data."""
    for name in FILES[kind]:
        (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
        (root / kind / name).write_bytes(b"")
    return root / kind


@pytest.mark.parametrize(
    ("given", "kind"), [(given, kind) for kind in FILES for given in ("folder", "parquet", "arrow", "", "path") if given != kind]
)
def test_the_right_name_is_told(tmp_path: Path, kind: str, given: str) -> None:
    path = made(tmp_path, kind)
    with pytest.raises(UserError) as refused:
        load(path if given == "path" else f"{given}:{path}" if given else str(path))
    assert f"{kind}:{path}" in str(refused.value)


def test_nothing_is_told_of_a_folder_that_looks_like_nothing(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"holds no class folders; expected one folder of images per class, for example .*/cat/1.png$"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize("given", ["folder:", "arrow:", ""])
def test_the_right_name_of_a_parquet_file_is_told(tmp_path: Path, given: str) -> None:
    path = tmp_path / "train.parquet"
    path.write_bytes(b"")
    with pytest.raises(UserError) as refused:
        load(f"{given}{path}")
    assert f"parquet:{path}" in str(refused.value)


def test_a_file_that_is_named_as_a_folder_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"")
    with pytest.raises(UserError, match=r"photos\.zip: that is a file; expected a folder with one folder of images per class"):
        load(f"folder:{tmp_path / 'photos.zip'}")
