"""The counts of all trials that were made, kept, and their table in ``docs/reliability.md``."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datastill import provenance
from datastill.files import write_atomic
from datastill.report.markdown import table
from faults.campaign import Outcome, Trial
from faults.registry import CAMPAIGNS

ROOT = Path(__file__).parent.parent.parent
COUNTS = ROOT / "results" / "faults" / "counts.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- counts: written by make faults -->", "<!-- end of counts -->"
COLUMNS = {
    Outcome.REFUSED: "refused",
    Outcome.UNCHANGED: "unchanged",
    Outcome.AGAIN: "again",
    Outcome.RESUMED: "resumed",
    Outcome.READ: "read",
}


def keep(name: str, made: Iterable[Trial], path: Path = COUNTS) -> None:
    """Replace the counts of one campaign by those of these trials."""
    trials = list(made)
    counts = read(path)
    machine = provenance.machine()
    counts[name] = {
        "first": trials[0].seed,
        "trials": len(trials),
        "outcomes": dict(Counter(str(trial.outcome) for trial in trials)),
        "bad": [[trial.seed, str(trial.outcome), trial.note] for trial in trials if not trial.outcome.good][:20],
        "commit": provenance.commit(),
        "processor": machine["processor"],
        "torch": machine["torch"],
    }
    write_atomic(path, json.dumps({key: counts[key] for key in CAMPAIGNS if key in counts}, indent=1) + "\n")


def read(path: Path = COUNTS) -> dict[str, Any]:
    """The counts that were kept, by campaign."""
    return json.loads(path.read_text()) if path.exists() else {}


def draw(path: Path = COUNTS, page: Path = PAGE) -> None:
    """Write the table into the page, between its two marks."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    write_atomic(page, "\n".join([before + BEGIN, "", *_lines(read(path)), "", END + after]))


def _lines(counts: Mapping[str, Any]) -> list[str]:
    rows = [[CAMPAIGNS[name].fault, *_row(entry)] for name, entry in counts.items() if name in CAMPAIGNS]
    total = [sum(int(row[column] or 0) for row in rows) for column in range(1, len(COLUMNS) + 3)]
    head = ["what is done", "trials", *COLUMNS.values(), "lost or wrong"]
    commits = ", ".join(dict.fromkeys(f"`{entry['commit']}`" for entry in counts.values()))
    machines = ", ".join(dict.fromkeys(f"{entry['processor']}, torch {entry['torch']}" for entry in counts.values()))
    return [*table(head, [*rows, ["**all**", *total]]), "", *textwrap.wrap(f"Commits {commits}; {machines}.", 140)]


def _row(entry: Mapping[str, Any]) -> list[int | None]:
    outcomes = entry["outcomes"]
    bad = sum(number for name, number in outcomes.items() if not Outcome(name).good)
    return [entry["trials"], *(outcomes.get(str(outcome)) for outcome in COLUMNS), bad]
