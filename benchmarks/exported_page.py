"""The page about exported image folders, from the records of `benchmarks.exported` and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from datastill.distilled.card import percent
from datastill.evaluation.spread import half_interval, spread
from datastill.files import write_atomic
from datastill.report.markdown import table

RANDOM = "random"
REMARKS = {
    "photographs": "Five photographs, a class each; tests are on other parts of the same photographs. No gain is shown: random subsets "
    "of two patches a class differ far more among themselves than the means do, and a ConvNet trained on such sets under the DC protocol "
    "does gain ([constraints-photographs](../constraints-photographs/README.md)).",
}
"""What else a reader must know, by the name of the table."""


def write_page(folder: Path) -> None:
    """Write ``README.md`` from every ``NAME/record.json`` below a folder."""
    records = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/record.json"))}
    lines = [
        "# Exported image folders in a plain training",
        "",
        "A ResNet18 of torchvision is trained from scratch on an exported image folder, by the program in the folder's own README.md, word "
        "for word: ordinary crops and mirror images, SGD. Nothing else is known of the set. It is compared with random real subsets of the "
        "same size, exported in the same way: another one for every seed. `batch norm` is the same program with the network as torchvision "
        "makes it.",
        "",
        *(line for name, record in records.items() for line in _section(name, record)),
    ]
    write_atomic(folder / "README.md", "\n".join(lines) + "\n")


def _section(name: str, record: Mapping[str, Any]) -> list[str]:
    described, networks = record["table"], record["networks"]
    trainings = list(dict.fromkeys(entry["training"] for entry in networks))
    rows = [line for training in trainings for line in _rows(networks, training)]
    makers = {json.dumps(entry["made_by"], sort_keys=True): entry["made_by"] for entry in networks}.values()
    commits = ", ".join(dict.fromkeys(maker["commit"] or maker["datastill"] for maker in makers))
    processors = ", ".join(dict.fromkeys(f"{maker['machine']['processor']}, torch {maker['machine']['torch']}" for maker in makers))
    head = ["trained on", "training", "accuracy % (mean +- std)", "95% interval", "n", "against random", "clipped", "minutes a network"]
    return [
        f"## {described['data']}, IPC {described['ipc']}",
        "",
        *table(head, rows),
        "",
        f"Top-1 on {_tested(described)}, {described['epochs']} epochs, network and subset i from seed i. The distilled sets are of seed 0: "
        f"`{described['method']}`, preset {described['preset']}, {described['iterations']} iterations. Standard deviation (divided by n) "
        "and interval are over the networks; the difference is of the means. Clipped: the share of values that 8 bits cannot "
        f"hold. 32-bit floats, {processors}; commit {commits}. [record.json]({name}/record.json)",
        "",
        *((REMARKS[name], "") if name in REMARKS else ()),
    ]


def _tested(described: Mapping[str, Any]) -> str:
    every = described.get("every", 1)
    return "the test split" if every == 1 else f"one of {every} images of the test split, the same ones for all"


def _rows(networks: Sequence[Mapping[str, Any]], training: str) -> list[list[object]]:
    mine = [entry for entry in networks if entry["training"] == training]
    found = {
        name: [entry for entry in mine if entry["trained_on"] == name] for name in dict.fromkeys(entry["trained_on"] for entry in mine)
    }
    base = fmean(entry["accuracy"] for entry in found[RANDOM]) if RANDOM in found else None
    rows: list[list[object]] = []
    for name, entries in found.items():
        accuracies = [entry["accuracy"] for entry in entries]
        deviation, interval, mean = spread(accuracies), half_interval(accuracies), fmean(accuracies)
        rows.append(
            [
                f"`{name}`",
                training,
                f"{mean:.2f}" + ("" if deviation is None else f" +- {deviation:.2f}"),
                None if interval is None else f"+- {interval:.2f}",
                len(entries),
                None if base is None or name == RANDOM else f"{mean - base:+.2f}",
                percent(fmean(entry["clipped"] for entry in entries)),
                f"{fmean(entry['seconds'] for entry in entries) / 60:.1f}",
            ]
        )
    return rows
