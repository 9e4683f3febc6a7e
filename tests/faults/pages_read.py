"""What pages, a second look and a second start are made from: runs, evaluations and records that are damaged, and leases of others."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from datastill import DistilledSet
from datastill.engine import Engine
from datastill.evaluation import Protocol
from datastill.evaluation.robust import robustness
from datastill.experiments.file import kept
from datastill.files import InUseError, beside, leased, sealed
from datastill.report.page import write_report
from datastill.report.page.insight import FILE, keep, look_at
from datastill.report.page.site import write_site
from datastill.report.watching import lines
from datastill.runs.status import newest_images, read_status
from faults.campaign import Campaign, Outcome
from faults.command_lines import TABLE, records
from faults.known import cache_at, copied, data, distil, heard, place, sealed_again
from faults.mutations import damaged
from faults.refusals import command
from faults.results_read import written
from faults.run_folders_read import as_bytes, as_values

STEPS = 3
"""Of the run that pages are made of."""


def damage(path: Path, chance: random.Random) -> bool:
    """Damage a file of any kind, as bytes or in its content; whether that may have the right checksum afterwards."""
    if chance.random() < 0.5 or path.suffix not in (".safetensors", ".json", ".yaml"):
        as_bytes(path, chance)
        return False
    if path.suffix == ".safetensors":
        sealed_again(path, chance)
    elif path.suffix == ".yaml":
        as_values(path, chance)
    else:
        written(path, chance, values=True)
    return True


def one_of(folder: Path, patterns: Sequence[str], chance: random.Random) -> Path:
    """One of the files in a folder."""
    return chance.choice(sorted(path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()))


@cache
def finished() -> Path:
    """The folder of a finished run, with an evaluation, its robust scores and what a network says of its images."""
    folder, few = place() / "finished", Protocol("convnet-32x1-relu-avgpool-nonorm", epochs=1)
    made: DistilledSet = distil(folder, STEPS)
    with cache_at(place() / "looked"):
        scores = robustness(made, data=data(), repeats=2, protocol=few, engine=Engine(), real=90.0)
        keep(look_at([made], data(), Engine())[0], made, folder)
    content = scores.evaluation.describe() | {"robust": scores.describe()}
    (folder / "evaluation.json").write_text(json.dumps(sealed(content)))
    return folder


def page(run: Path, out: Path) -> str:
    """The page of a run, wherever its folder is."""
    return write_report([str(run)], out, look=False).read_text().replace(str(run), "RUN")


@cache
def known_page() -> str:
    """The page of the run as it is."""
    return page(finished(), place() / "page.html")


def _report(seed: int, folder: Path) -> Outcome:
    run, chance = copied(finished(), folder / "run"), random.Random(seed)
    expected = known_page()
    path = run / chance.choice(("evaluation.json", str(FILE), "config.yaml", "metrics.jsonl", "distilled/images.safetensors"))
    forged = damage(path, chance)
    with heard() as said:
        found = page(run, folder / "page.html")
    return Outcome.UNCHANGED if found == expected else Outcome.AGAIN if said else Outcome.READ if forged else Outcome.WRONG


def watched(run: Path) -> object:
    """What is shown of a run, wherever its folder is."""
    status = read_status(run)
    return status.state, status.terms, [line.replace(str(run), "RUN") for line in lines(status, 400)]


def _watched(seed: int, folder: Path) -> Outcome:
    run, chance = copied(finished(), folder / "run"), random.Random(seed)
    forged = damage(one_of(run, ("config.yaml", "metrics.jsonl", "checkpoint/*.safetensors"), chance), chance)
    with heard() as said:
        seen = [watched(each) for each in (finished(), run)]
        images = newest_images(read_status(run))
    if seen[0] == seen[1]:  # an earlier checkpoint is shown where the newest is damaged
        return Outcome.UNCHANGED if images is not None else Outcome.READ if forged else Outcome.WRONG
    return Outcome.AGAIN if said else Outcome.READ if forged else Outcome.WRONG


@cache
def experiment() -> Path:
    """A folder with the results and the runs of a small experiment."""
    folder = place() / "experiment"
    folder.mkdir()
    (folder / "mine.yaml").write_text(TABLE.replace("protocol:", "keep_sets: true\nprotocol:"))
    again(folder)
    return folder


def again(folder: Path, *options: str) -> Any:
    """Give the command of the experiment in a folder; its records.

    Raises:
        UserError: If it is refused, with the line.
    """
    words = ["experiment", str(folder / "mine.yaml"), "--results", str(folder / "results"), "--runs", str(folder / "runs"), *options]
    command(words, folder / "cache")
    return records(folder)


def _again(*options: str) -> Callable[[int, Path], Outcome]:
    """A record is gone, a file that a cell is continued from is damaged, and the command is given again."""

    def trial(seed: int, folder: Path) -> Outcome:
        known = experiment()
        expected, chance = records(known), random.Random(seed)
        target = copied(known, folder / "experiment")
        next((target / "results").rglob("dm/**/record.json")).unlink()
        path = one_of(target, ("runs/**/dm/**/*.safetensors", "runs/**/dm/**/config.yaml", "metrics.jsonl", "record.json"), chance)
        forged = damage(path, chance)
        with heard() as said:
            found = again(target, *options)
        if found == expected:
            return Outcome.AGAIN if said else Outcome.UNCHANGED
        return Outcome.READ if forged else Outcome.WRONG

    return trial


def _site(seed: int, folder: Path) -> Outcome:
    results, chance = copied(experiment() / "results", folder / "results"), random.Random(seed)
    expected = known_site()
    forged = damage(one_of(results, ("record.json", "*.yaml", "images.safetensors"), chance), chance)
    with heard() as said:
        found = site(results, folder / "site")
    return Outcome.UNCHANGED if found == expected else Outcome.AGAIN if said else Outcome.READ if forged else Outcome.WRONG


def site(results: Path, out: Path) -> dict[str, str]:
    """All pages of the site of some results by name."""
    write_site(results, out, kept(results))
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*.html")}


@cache
def known_site() -> dict[str, str]:
    """Those of the results as they are."""
    return site(experiment() / "results", place() / "site")


LEFT = (b"", b"process", b"process 1 on ", b"process -1 on x ", b"process 99999999999 on x ", b"\xff\x00", b"\x1b[2J\n", b"x" * 400)
"""What the file of a lease may say."""
SECONDS = 0.2
"""How long it holds."""


def _lease(seed: int, folder: Path) -> Outcome:
    """A lease says what no process wrote: it is free at once, or after the time in which it was not renewed."""
    chance, path = random.Random(seed), folder / "cell"
    content = chance.choice(LEFT)
    beside(path, "lease").write_bytes(damaged(content, chance) if content and chance.random() < 0.5 else content)
    outcome = Outcome.UNCHANGED
    try:
        with leased(path, "the cell", seconds=SECONDS):
            pass
    except InUseError as error:
        if "\n" in str(error) or "expires in" not in str(error):
            raise AssertionError(str(error)) from error
        outcome = Outcome.REFUSED
        time.sleep(SECONDS)
        with leased(path, "the cell", seconds=SECONDS):
            pass
    return Outcome.LOST if list(folder.iterdir()) else outcome


CAMPAIGNS = (
    Campaign("report", "a file that the page of a run is made of is damaged", _report, short=6),
    Campaign("watch", "a file of a run that is watched is damaged", _watched),
    Campaign("site", "a file that the site is made of is damaged", _site, short=4),
    Campaign("budget", "a file that `experiment --budget` goes on with is damaged", _again("--budget", "1h"), short=2),
    Campaign("only", "a file that `experiment --only` goes on with is damaged", _again("--only", "method=dm"), short=2),
    Campaign("leases", "the file of a lease says anything", _lease, short=3),
)
