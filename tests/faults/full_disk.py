"""Disks that become full while something is written: one line, nothing lost, and after some space was freed the same result."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from datastill.errors import UserError
from faults.campaign import Campaign, Outcome
from faults.works import WORKS, expected
from full_disks import full_disk


@cache
def _sizes(name: str) -> tuple[int, int]:
    """Bytes of the largest file that a work leaves, and of all files in pages of 4 KiB."""
    with tempfile.TemporaryDirectory(prefix="datastill-fault-") as folder:
        WORKS[name].do(Path(folder))
        sizes = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    return max(sizes), sum(-(-size // 4096) * 4096 for size in sizes)


def _filled(name: str, *, mounted: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        work, whole = WORKS[name], expected(name)
        largest, all_files = _sizes(name)
        size = random.Random(seed).randrange(1, 1 + (all_files if mounted else largest))
        with full_disk(folder, size, mounted=mounted) as make_room:
            try:
                return Outcome.UNCHANGED if work.do(folder) == whole else Outcome.WRONG
            except UserError as error:
                if "\n" in str(error) or "; what was written before is intact: free some space" not in str(error):
                    raise
            work.intact(folder)
            if list(folder.rglob(".datastill-*")):
                return Outcome.WRONG
            make_room()
            return Outcome.RESUMED if work.do(folder) == whole else Outcome.WRONG

    return trial


CAMPAIGNS = tuple(
    Campaign(f"full-{kind}-{name}", f"{what} while {work.doing}", _filled(name, mounted=kind == "disk"), short=3, long=100)
    for kind, what in (("disk", "the disk becomes full"), ("file", "a file becomes as large as files may be"))
    for name, work in WORKS.items()
)
