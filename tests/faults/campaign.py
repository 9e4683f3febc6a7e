"""What a campaign is, and what may come of a trial."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from datastill.errors import UserError
from datastill.text import escaped


class Outcome(StrEnum):
    """What came of a trial. The first five are right, the others are faults of the program."""

    REFUSED = "refused"
    """One line said what is wrong, and nothing was lost."""
    UNCHANGED = "unchanged"
    """The fault changed nothing: the same values came back."""
    AGAIN = "again"
    """The damage was reported, and what was in the file was computed again, or what was kept before it was used."""
    RESUMED = "resumed"
    """The command continued to the same bits."""
    READ = "read"
    """What was read is valid, though it may differ: the format has no checksum, or the change was made with the right one."""

    WRONG = "wrong"
    """Other values came back without a word."""
    LOST = "lost"
    """Something that was complete is gone."""
    TRACEBACK = "traceback"
    """An exception that is not one clear line."""
    DIED = "died"
    """The process ended without a message, for example by a signal."""
    HUNG = "hung"
    """It took longer than a trial may."""

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self in (Outcome.REFUSED, Outcome.UNCHANGED, Outcome.AGAIN, Outcome.RESUMED, Outcome.READ)


@dataclass(frozen=True)
class Campaign:
    """One kind of fault.

    Attributes:
        name: What it is called on the command line, such as "checkpoint-bits".
        fault: What is done, as a phrase of the table.
        trial: Makes the fault once, given a seed and an empty folder.
        short: How many trials are made with the other tests; none where each takes too long, and another test covers the same.
        long: How many ``make faults`` makes, unless it is told otherwise.
        seconds: How long a trial may take in ``make faults``, on a machine that may have other work to do.
    """

    name: str
    fault: str
    trial: Callable[[int, Path], Outcome]
    short: int = 20
    long: int = 1000
    seconds: float = 300.0


class Trial(NamedTuple):
    """What came of one trial.

    Attributes:
        seed: Of the trial.
        outcome: What came of it.
        note: The exception, or how the process ended; empty for most.
    """

    seed: int
    outcome: Outcome
    note: str = ""


def attempt(campaign: Campaign, seed: int) -> Trial:
    """Make one trial in this process, in a folder that is removed afterwards; what it prints is dropped."""
    with (
        tempfile.TemporaryDirectory(prefix="datastill-fault-") as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            return Trial(seed, campaign.trial(seed, Path(folder)))
        except UserError as error:
            said = str(error)
            clear = said.strip() and "\n" not in said
            return Trial(seed, Outcome.REFUSED if clear else Outcome.TRACEBACK, escaped(said[:300]))
        except Exception as error:
            return Trial(seed, Outcome.TRACEBACK, escaped(f"{type(error).__name__}: {error}"[:300]))
