"""What is written is where it should be, and nothing else is touched."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from datastill.errors import UserError
from datastill.files import (
    OURS,
    check_file,
    check_folder,
    new_folder,
    open_to_append,
    partial_file,
    remove_leftovers,
    through_links,
    write_atomic,
)

FOREIGN = (
    ".mydata.partial",
    ".config.yaml.4711.partial",
    ".datastill-0123.partial",
    "datastill-0123456789abcdef.partial",
    ".datastill-0123456789abcdef.partial.bak",
    ".datastill-0123456789ABCDEF.partial",
)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # a name may have 108 characters


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (fifo, "is a named pipe, and only a regular file can be written"),
        (listening, "is a socket, and only a regular file can be written"),
        (Path.mkdir, "is a folder"),
        (device, "is a device, and only a regular file can be written"),
        (lambda path: path.symlink_to("nowhere"), "is a link to nothing: remove it, or name another file"),
        (lambda path: path.symlink_to(path.name), "cannot write .* levels of symbolic links"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once_and_stays(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    target = tmp_path / "out.json"
    make(target)
    before = target.lstat()
    for check in (check_file, through_links):
        with pytest.raises(UserError, match=said):
            check(target)
    if not target.is_symlink():
        with pytest.raises(UserError, match=said):
            write_atomic(target, "x")
    with pytest.raises(UserError, match=r"cannot write .*out\.json"):
        open_to_append(target)
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert names(tmp_path) == ["out.json"]


def test_a_link_that_a_user_names_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "real.json").write_text("old")
    (tmp_path / "chain").symlink_to(Path("disk") / "real.json")
    (tmp_path / "out.json").symlink_to("chain")
    check_file(tmp_path / "out.json")
    write_atomic(through_links(tmp_path / "out.json"), "new")
    assert (tmp_path / "disk" / "real.json").read_text() == "new"
    assert (tmp_path / "out.json").is_symlink()
    assert (tmp_path / "chain").is_symlink()
    assert names(tmp_path / "disk") == ["real.json"]
    assert through_links(tmp_path / "new.json") == tmp_path / "new.json"


def test_a_planted_link_in_the_place_of_a_file_of_ours_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for name in ("0.safetensors", "metrics.jsonl"):
        (tmp_path / name).symlink_to("mine")
    write_atomic(tmp_path / "0.safetensors", "weights")
    with pytest.raises(UserError, match=r"cannot write .*metrics\.jsonl"):
        open_to_append(tmp_path / "metrics.jsonl")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "0.safetensors").is_symlink()
    with open_to_append(tmp_path / "other.jsonl") as file:
        file.write("one\n")
    with open_to_append(tmp_path / "other.jsonl") as file:
        file.write("two\n")
    assert (tmp_path / "other.jsonl").read_text() == "one\ntwo\n"


def test_a_planted_temporary_name_is_not_followed(tmp_path: Path) -> None:
    """A name that was known before the file is made cannot be opened, whatever it is."""
    (tmp_path / "mine").write_text("mine")
    seen: list[str] = []
    ours = os.open

    def planting(path: Path, flags: int, mode: int = 0o777) -> int:
        if OURS.fullmatch(Path(path).name) and len(seen) < 1:
            seen.append(Path(path).name)
            Path(path).symlink_to("mine")
        return ours(path, flags, mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", planting)
        with pytest.raises(UserError, match=r"cannot write .*e\.json"):
            write_atomic(tmp_path / "e.json", "x")
    assert seen
    assert (tmp_path / "mine").read_text() == "mine"


def test_names_of_what_is_written_differ_and_fit_any_file_system(tmp_path: Path) -> None:
    found = set()
    for _ in range(3):
        with partial_file(tmp_path) as (_, path):
            found.add(path.name)
            assert OURS.fullmatch(path.name)
            assert path.parent == tmp_path
    assert len(found) == 3
    write_atomic(tmp_path / ("n" * 255), "the longest name")
    assert names(tmp_path) == ["n" * 255]


def test_a_new_file_has_the_permissions_that_the_user_gives_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_parts_follow_one_another(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", [b"one", memoryview(b"two"), b""])
    assert (tmp_path / "file").read_bytes() == b"onetwo"


def test_trying_a_folder_leaves_nothing(tmp_path: Path) -> None:
    check_file(tmp_path / "a" / "b" / "out.json")
    check_folder(tmp_path / "a" / "b")
    assert names(tmp_path) == []
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "run", tmp_path / "file"):
        with pytest.raises(UserError, match=f"cannot write {place} .*choose another folder"):
            check_folder(place)
    with pytest.raises(UserError, match=r"cannot write .*e\.json .*choose another folder"):
        check_file(tmp_path / "file" / "e.json")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here that even root cannot write")
def test_a_folder_that_cannot_be_written_is_found_before_the_work() -> None:
    with pytest.raises(UserError, match=r"cannot write /proc/e\.json"):
        check_file(Path("/proc/e.json"))


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with new_folder(tmp_path / "in" / "set") as built:
        write_atomic(built / "cat" / "0.png", "0")
        assert built.name == "set"
        assert not (tmp_path / "in" / "set").exists()
    assert contents(tmp_path) == {"in/set/cat/0.png": b"0"}
    with pytest.raises(KeyError):
        failing(tmp_path / "in" / "other")
    assert names(tmp_path / "in") == ["set"]


def failing(target: Path, second: str = "") -> None:
    with new_folder(target) as built:
        write_atomic(built / "0.png", "0")
        if not second:
            raise KeyError
        write_atomic(built / second, "0")


def test_a_folder_takes_no_other_place(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("empty", "link"):
        with pytest.raises(UserError, match=f"cannot write {tmp_path / name} .File exists"), new_folder(tmp_path / name) as built:
            write_atomic(built / "0.png", "0")
    assert names(tmp_path) == ["empty", "link"]


def test_a_failure_in_a_folder_names_the_folder_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"cannot write {tmp_path / 'set'} .File exists"):
        failing(tmp_path / "set", "0.png/0.png")
    assert names(tmp_path) == []


def test_only_leftovers_of_our_own_pattern_are_removed(tmp_path: Path) -> None:
    for name in FOREIGN:
        (tmp_path / name).write_text("the user's")
    (tmp_path / ".datastill-0123456789abcdef.partial").write_text("half")
    (tmp_path / ".datastill-fedcba9876543210.partial" / "cat").mkdir(parents=True)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted(FOREIGN)


def test_what_a_living_process_writes_is_no_leftover(tmp_path: Path) -> None:
    with partial_file(tmp_path) as (_, path), new_folder(tmp_path / "set") as built:
        write_atomic(built / "0.png", "0")
        remove_leftovers(tmp_path)
        assert path.exists()
        assert built.exists()
    assert contents(tmp_path) == {"set/0.png": b"0"}


def test_a_leftover_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / ".datastill-0123456789abcdef.partial").symlink_to("mine")
    remove_leftovers(tmp_path)
    assert (tmp_path / "mine" / "deep").is_dir()


def test_what_a_killed_process_leaves_is_a_leftover(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from datastill.files import new_folder, write_atomic
with new_folder(Path(sys.argv[1]) / "set") as built:
    write_atomic(built / "0.png", "0")
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=120)
    assert [bool(OURS.fullmatch(name)) for name in names(tmp_path)] == [True]
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_writers_of_one_file_at_once_leave_one_of_their_files(tmp_path: Path) -> None:
    texts = [str(number) * 100_000 for number in range(4)]

    def write(text: str) -> None:
        for _ in range(5):
            write_atomic(tmp_path / "f", text)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "f").read_text() in texts
    assert names(tmp_path) == ["f"]
