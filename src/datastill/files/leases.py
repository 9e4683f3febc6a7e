"""Leases: locks between machines, which expire where whoever holds them no longer renews them."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import uuid4

from datastill.files.locks import InUseError, locked
from datastill.files.messages import storage_error
from datastill.files.partial import beside, partial_file
from datastill.logs import logger

log = logger(__name__)

SECONDS = 60.0
"""How long a lease holds that is not renewed."""
TURNS = 6
"""How often it is renewed within that time."""
SETTLING = 0.5
"""Seconds that a process has to write its name into the file that it has made."""

ENDED = (b"Z", b"X")
"""States of a process that runs no more, as Linux calls them."""


@contextlib.contextmanager
def leased(path: Path, what: str, *, seconds: float = SECONDS) -> Iterator[None]:
    """Hold the lock of a file or folder on every machine that sees it, also where the file system locks nothing between machines.

    Within a machine it is `locked`, which the system releases at once. For the others, a file beside it says who holds it, and is renewed
    as long as the block takes. When that has stopped for `seconds`, another machine may take the lease, of several only one. A process that
    finds its lease taken, as it was paused for longer, stops itself by a SIGTERM. Ages are differences of times that the file system
    gives, so the clocks of the machines may differ.

    Args:
        path: What only one process may write at a time. It need not exist.
        what: What that is, in words, for messages.
        seconds: How long the lease holds without being renewed.

    Raises:
        InUseError: If another process holds it.
        UserError: If its file cannot be written.
    """
    with locked(path, what):
        lease = _Lease(beside(path, "lease"), path, what, seconds)
        lease.take()
        ended = threading.Event()
        renewing = threading.Thread(target=lease.renew, args=(ended,), name="datastill lease", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            lease.give_back()


@cache
def _machine() -> str:
    """This machine, or this container, by its name and what tells it from others of that name: its start, and its list of processes."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):
        parts += [Path("/proc/sys/kernel/random/boot_id").read_text().split("-")[0]]
        parts += [str(Path("/proc/self/ns/pid").stat().st_ino)]
    return " ".join(parts)


@dataclass(frozen=True)
class _Lease:
    """A file that says who holds what.

    Attributes:
        place: Of the file.
        path: What it is about.
        what: What that is, in words.
        seconds: How long it holds.
        words: What the file says while it is ours.
    """

    place: Path
    path: Path
    what: str
    seconds: float
    words: str = field(default_factory=lambda: f"process {os.getpid()} on {_machine()} {uuid4().hex}")

    def take(self) -> None:
        """Take it, unless a process of another machine, or one without locks on this one, has it."""
        try:
            while not self._made():
                holder = self._holder()
                if holder is None:
                    continue  # given back just now
                if (left := self._left(holder)) > 0 and holder:
                    raise InUseError(
                        f"{self.what} is in use by {_said(holder)}: wait until that process has ended, or end it; "
                        f"if it is gone, its lease expires in {left:.0f} seconds"
                    )
                if left <= 0 and self._taken_over(holder):
                    return
                time.sleep(SETTLING / 10)  # made just now and nothing written yet, or another process is taking it over
        except OSError as error:
            raise storage_error(error, self.path) from error

    def renew(self, ended: threading.Event) -> None:
        """Renew it until an event, or until another process has taken it, which ends this one."""
        while not ended.wait(self.seconds / TURNS):
            with contextlib.suppress(OSError):  # the next turn may be able to
                if (holder := self._holder()) not in (None, self.words):
                    log.error("%s was taken over by %s, as this process was paused for too long: it stops", self.what, _said(holder or ""))
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                os.utime(self.place)

    def give_back(self) -> None:
        """Remove it, if it is still ours."""
        with contextlib.suppress(OSError):
            if self._holder() == self.words:
                self.place.unlink()

    def _made(self) -> bool:
        try:
            descriptor = os.open(self.place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, self.words.encode())
        except OSError:
            self.place.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        return True

    def _left(self, holder: str) -> float:
        """Seconds that the lease of a holder still holds; one whose process is gone holds no longer."""
        if self._free_at_once(holder):
            return 0
        return (self.seconds if holder else SETTLING) - self._age(self.place)

    def _taken_over(self, holder: str) -> bool:
        """Take over what holds no longer; false if another process does so at the same time, or did so, or it was renewed meanwhile.

        Of all processes only one can make the file that stands for this.
        """
        taking = beside(self.place, "lock")
        try:
            os.close(os.open(taking, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
        except FileExistsError:
            if self._age(taking) > self.seconds:  # whoever made it was killed
                self._clear(taking)
            return False
        made = taking.stat().st_ino
        try:
            if self._holder() != holder or self._left(holder) > 0:
                return False
            self._replace()
            return True
        finally:
            with contextlib.suppress(FileNotFoundError):
                if taking.stat().st_ino == made:  # not one that another process has made since, as this one was paused
                    taking.unlink()

    def _clear(self, taking: Path) -> None:
        """Remove what a killed process left, but not what another process has made in its place since it was looked at."""
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            left = taking.stat()
            aside = taking.with_name(f"{taking.name}.{uuid4().hex}")
            taking.rename(aside)
            try:
                if aside.stat().st_ino != left.st_ino:
                    os.link(aside, taking)
            finally:
                aside.unlink()

    def _replace(self) -> None:
        with partial_file(self.place.parent) as (file, partial):
            file.write(self.words.encode())
            file.flush()
            partial.replace(self.place)

    def _holder(self) -> str | None:
        """Who has it; None if there is no such file."""
        try:
            descriptor = os.open(self.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            return os.read(descriptor, 300).decode(errors="replace")
        finally:
            os.close(descriptor)

    def _age(self, path: Path) -> float:
        """Seconds since a file was written or renewed, by the clock of the file system, which is the same for all machines."""
        with partial_file(path.parent) as (file, _):
            file.write(b"now")
            file.flush()
            os.fsync(file.fileno())  # a network file system gives the time when it is written there
            now = os.fstat(file.fileno()).st_mtime
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # which a network file system looks up again
        except FileNotFoundError:
            return self.seconds
        try:
            return now - os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)

    def _free_at_once(self, holder: str) -> bool:
        """Whether its process was one of this machine and is gone, or is this one."""
        found = re.match(r"process (\d+) on (.*) [0-9a-f]{32}$", holder)
        if found is None or found[2] != _machine():
            return False
        return int(found[1]) == os.getpid() or not _alive(int(found[1]))


def _alive(process: int) -> bool:
    """Whether a process of this machine runs; one that has ended may stay in its list, as where nothing waits for it in a container."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    try:
        state = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state not in ENDED


def _said(holder: str) -> str:
    words = re.sub(r" [0-9a-f]{8} \d+$", "", holder.rpartition(" ")[0])  # a name says enough
    return words if words.startswith("process ") and words.isprintable() else "another process"
