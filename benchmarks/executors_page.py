"""The page about places for cells, from ``measurements.json`` and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from datastill.files import write_atomic
from datastill.report.markdown import table

HEAD = ["place", "cores a cell", "seconds for all cells", "times as fast as the first"]


def write_page(folder: Path) -> None:
    """Write ``README.md`` beside ``measurements.json``."""
    content = json.loads((folder / "measurements.json").read_text())
    machine, rows = content["made_by"]["machine"], content["rows"]
    lines = [
        "# Cells in several places at once",
        "",
        *table(
            HEAD,
            [[row["place"], row["cores"], f"{row['seconds']:.1f}", f"{rows[0]['seconds'] / row['seconds']:.2f}"] for row in rows],
        ),
        "",
        f"Written by `python -m benchmarks.executors` at commit {content['made_by']['commit']}, in one run on {machine['processor']}, "
        f"{machine['cores']} cores, torch {machine['torch']}. The same {content['cells']} cells were run in every place, from nothing to "
        f"their records: `dm+cm` on {content['data']} at IPC 2, iterations: {content['iterations']}, epochs of the one network: "
        f"{content['epochs']}. "
        "Seconds include starting processes, but not Ray itself. Places with as many cores for a cell gave the same records, byte "
        "for byte but for times. A raylet is what a machine of a Ray cluster runs; here each has one core of the same machine.",
    ]
    write_atomic(folder / "README.md", "\n".join(lines) + "\n")
