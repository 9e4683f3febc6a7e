"""Code is loaded only from where nobody else can have put it."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from datastill.files import why_not_ours

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "cache" / "compiled"
    made.mkdir(parents=True)
    made.parent.chmod(0o755)
    made.chmod(0o700)
    return made


def test_a_folder_of_ones_own_is_trusted(folder: Path) -> None:
    assert why_not_ours(folder) == ""
    assert why_not_ours(folder / "to be made") == ""


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o1777])
def test_a_folder_that_all_may_write_is_not(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    assert why_not_ours(folder) == f"other users can write to {folder} (`chmod go-w {folder}` ends that)"


def test_neither_is_one_that_all_could_put_another_in_the_place_of(folder: Path) -> None:
    folder.parent.chmod(0o777)
    assert f"can write to {folder.parent} " in why_not_ours(folder)
    folder.parent.chmod(0o1777)  # as /tmp: what is there cannot be renamed by others
    assert why_not_ours(folder) == ""


@ROOT
def test_neither_is_one_that_a_group_of_several_may_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o770)
    os.chown(folder, 0, 12345)
    assert "other users can write" in why_not_ours(folder)
    me = pwd.getpwuid(0)
    for name, members, trusted in ((me.pw_name, [], True), (me.pw_name, ["bob"], False), ("lab", [], False)):
        own = grp.struct_group((name, "x", me.pw_gid, members))
        monkeypatch.setattr(grp, "getgrgid", lambda number, own=own: own)
        os.chown(folder, 0, me.pw_gid)
        assert (why_not_ours(folder) == "") is trusted


@ROOT
def test_neither_is_one_of_another_user_or_in_one_of_theirs(folder: Path, tmp_path: Path) -> None:
    os.chown(folder, 12345, 0)
    assert why_not_ours(folder) == f"{folder} belongs to the user 12345"
    os.chown(folder, 0, 0)
    os.chown(folder.parent, 12345, 0)
    assert why_not_ours(folder) == f"{folder.parent} belongs to the user 12345"
    os.chown(folder.parent, 0, 0)
    (tmp_path / "link").symlink_to(folder)
    assert why_not_ours(tmp_path / "link") == ""
    os.chown(tmp_path / "link", 12345, 0, follow_symlinks=False)
    assert why_not_ours(tmp_path / "link") == f"{tmp_path / 'link'} belongs to the user 12345"
