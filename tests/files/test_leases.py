"""A lease holds on every machine that sees its file, and expires where nobody renews it."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import platform
import re
import signal
import time
from pathlib import Path

import pytest

from datastill.errors import UserError
from datastill.files import InUseError, beside, leased
from datastill.files.leases import _Lease

SHORT = 0.6
"""Seconds of a lease in these tests."""
ELSEWHERE = f"process 12 on another-machine {'0' * 32}"


def lease_of(path: Path, words: str) -> Path:
    """The file that a process which is not here left or holds."""
    place = beside(path, "lease")
    place.write_text(words)
    return place


def test_it_is_renewed_while_the_block_takes_and_given_back_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    with leased(path, "the cell", seconds=SHORT):
        place = beside(path, "lease")
        assert place.read_text().startswith(f"process {os.getpid()} on ")
        first = place.stat().st_mtime_ns
        time.sleep(SHORT / 2)
        assert place.stat().st_mtime_ns > first
    assert list(tmp_path.iterdir()) == []


def test_that_of_another_machine_is_kept_until_it_expires(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    lease_of(path, ELSEWHERE)
    with (
        pytest.raises(InUseError, match=r"the cell is in use by process 12 on another-machine: .*expires in \d+ seconds"),
        leased(path, "the cell"),
    ):
        pass
    assert beside(path, "lease").read_text() == ELSEWHERE
    time.sleep(SHORT)
    with leased(path, "the cell", seconds=SHORT):
        assert beside(path, "lease").read_text() != ELSEWHERE


@pytest.mark.parametrize(("killed", "waited_for"), [(True, True), (True, False), (False, True)])
def test_that_of_a_process_of_this_machine_which_is_gone_is_free_at_once(tmp_path: Path, killed: bool, waited_for: bool) -> None:
    path, ready = tmp_path / "cell", tmp_path / "ready"

    def hold() -> None:
        with leased(path, "the cell"):
            ready.touch()
            time.sleep(60 if killed else 0)

    process = multiprocessing.get_context("fork").Process(target=hold)
    process.start()
    while not ready.exists():
        time.sleep(0.01)
    if killed:
        with pytest.raises(InUseError, match=f"the cell is in use by process {process.pid} on "), leased(path, "the cell"):
            pass
        process.kill()
    if waited_for:
        process.join()
    else:  # it stays in the system's list
        os.waitid(os.P_PID, process.pid or 0, os.WEXITED | os.WNOWAIT)
    assert beside(path, "lease").exists() is killed
    with leased(path, "the cell"):
        assert beside(path, "lease").read_text().startswith(f"process {os.getpid()} on ")
    process.join()


def test_a_process_that_was_paused_for_too_long_stops_when_it_finds_its_lease_taken(tmp_path: Path) -> None:
    path, ready = tmp_path / "cell", tmp_path / "ready"

    def hold() -> None:
        with leased(path, "the cell", seconds=SHORT):
            ready.touch()
            time.sleep(60)

    process = multiprocessing.get_context("fork").Process(target=hold)
    process.start()
    while not ready.exists():
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGSTOP)
    lease_of(path, ELSEWHERE)
    os.kill(process.pid or 0, signal.SIGCONT)
    process.join(30)
    assert process.exitcode == -signal.SIGTERM
    assert beside(path, "lease").read_text() == ELSEWHERE


def test_one_that_has_expired_is_taken_by_one_of_two_machines_alone(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    turns, path = 5, tmp_path / "cell"
    begin, taken, refused = context.Barrier(2), context.Value("i", 0), context.Value("i", 0)

    def contend() -> None:
        fcntl.flock = _without_locks  # the processes of two machines see each other by the lease alone
        for _ in range(turns):
            begin.wait(30)
            try:
                with leased(path, "the cell", seconds=SHORT):
                    (tmp_path / "inside").mkdir()
                    taken.value += 1
                    time.sleep(SHORT / 2)
                    (tmp_path / "inside").rmdir()
            except InUseError:
                refused.value += 1
            if begin.wait(30) == 0:
                os.utime(lease_of(path, ELSEWHERE), (0, 0))

    os.utime(lease_of(path, ELSEWHERE), (0, 0))
    processes = [context.Process(target=contend) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (taken.value, refused.value) == (turns, turns)


def _without_locks(descriptor: object, operation: int, /) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_a_takeover_that_was_killed_is_not_waited_for_forever(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    os.utime(lease_of(path, ELSEWHERE), (0, 0))
    beside(beside(path, "lease"), "lock").touch()
    began = time.monotonic()
    with leased(path, "the cell", seconds=SHORT):
        assert time.monotonic() - began >= SHORT / 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_says_nothing_was_left_by_a_killed_process(tmp_path: Path) -> None:
    lease_of(tmp_path / "cell", "")
    with leased(tmp_path / "cell", "the cell"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written_is_told_in_a_line(tmp_path: Path) -> None:
    beside(tmp_path / "cell", "lease").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*cell"), leased(tmp_path / "cell", "the cell"):
        pass


def test_a_process_of_another_container_of_this_name_is_not_taken_to_be_gone(tmp_path: Path) -> None:
    path = tmp_path / "cell"
    holder = f"process {2**22 - 1} on {platform.node()} 00000000 1 {'0' * 32}"
    beside(path, "lease").write_text(holder)
    with (
        pytest.raises(InUseError, match=rf"in use by process {2**22 - 1} on {re.escape(platform.node())}: "),
        leased(path, "the cell"),
    ):
        pass


def test_what_stands_for_a_take_over_is_not_removed_where_another_process_has_made_it_anew(tmp_path: Path) -> None:
    lease = _Lease(tmp_path / "lease", tmp_path / "cell", "the cell", 60)
    taking = tmp_path / "taking"
    taking.write_text("left by a killed process")
    lease._clear(taking)
    assert not list(tmp_path.iterdir())
    taking.write_text("left by a killed process")
    rename = Path.rename

    def made_anew(path: Path, target: Path) -> Path:
        (tmp_path / "other").write_text("of another process")
        (tmp_path / "other").replace(path)
        return rename(path, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "rename", made_anew)
        lease._clear(taking)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of another process"]
