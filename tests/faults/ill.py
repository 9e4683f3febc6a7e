"""A campaign of no kind of fault, whose trials die and hang: what `faults.isolation` is tested with."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from faults.campaign import Campaign, Outcome

DIES, HANGS = 1, 2
"""Seeds of such trials; all others end well."""


def trial(seed: int, folder: Path) -> Outcome:
    """End as the seed says."""
    if seed == DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == HANGS:
        time.sleep(600)
    return Outcome.READ


ILL = Campaign("ill", "nothing", trial, seconds=1.0)
CAMPAIGNS: dict[str, Campaign] = {ILL.name: ILL}
