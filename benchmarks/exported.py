"""What an exported image folder is worth to a program that knows nothing about distilling: a plain ResNet18 of torchvision.

    python -m benchmarks.exported cifar10 --results results --runs runs
    python -m benchmarks.exported photographs --data folder:photos@64

Every set is exported as an image folder, and the training that the folder's own README.md has is run on it, word for word. It is compared
with random subsets of the same size, exported in the same way. Every accuracy is kept as soon as it is known: the same command continues.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from benchmarks.exported_page import RANDOM, write_page
from datastill import DistilledSet, distill, export, load, provenance
from datastill.data import DataSet
from datastill.data.naming import public_name
from datastill.experiments import EXPERIMENTS
from datastill.experiments.file import kept
from datastill.files import write_atomic
from datastill.progress import clock
from datastill.report.results import write_index

TRAININGS: dict[str, dict[str, Any]] = {"batch norm": {"norm_layer": None}, "as in README.md": {}}
"""What a network is trained with, by name: arguments of the function in README.md."""


@dataclass(frozen=True)
class Table:
    """What is compared.

    Attributes:
        data: What is distilled and tested on.
        ipc: Images per class.
        iterations: Of distilling.
        epochs: Of every network.
        sets: Settings of every distilled set by its name; all are of one method.
        method: As in `datastill.distill`.
        preset: As in `datastill.distill`.
        trainings: Names of `TRAININGS`.
        every: One test image of this many is classified, the same number of every class.
        repeats: Networks of a set and a training, and random subsets.
    """

    data: str
    ipc: int = 10
    iterations: int = 400
    epochs: int = 240
    sets: tuple[tuple[str, tuple[str, ...]], ...] = (("dm+cm, pixels=box", ("pixels=box",)),)
    method: str = "dm+cm"
    preset: str = "fast"
    trainings: tuple[str, ...] = ("as in README.md",)
    every: int = 1
    repeats: int = 5


TABLES = {"cifar10": Table("cifar10", every=5), "photographs": Table("folder:photos@64", ipc=2, iterations=40, epochs=60)}


def rows(table: Table) -> list[str]:
    """What networks are trained on: random subsets, then the sets."""
    return [RANDOM, *(name for name, _ in table.sets)]


def made(table: Table, name: str, seed: int, data: DataSet, runs: Path) -> DistilledSet:
    """A set of the table, distilled if it is missing; of random subsets the one of a seed."""
    if name == RANDOM:
        return distill(data, method=RANDOM, ipc=table.ipc, seed=seed)
    out = runs / re.sub(r"\W+", "-", name)
    options: dict[str, Any] = {"method": table.method, "preset": table.preset, "settings": dict(table.sets)[name]}
    return distill(data, ipc=table.ipc, iterations=table.iterations, out=out, resume=(out / "config.yaml").exists(), **options)


def trained(folder: Path, epochs: int, seed: int, options: dict[str, Any]) -> tuple[torch.nn.Module, Any]:
    """Run the training in the README.md of a folder; the network and the transform of the images that it is tested on."""
    (block,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        exec(block, names)
        return names["train"](epochs=epochs, seed=seed, **options), names["plain"]


@torch.no_grad()
def accuracy(network: torch.nn.Module, data: DataSet, transform: Any, every: int = 1) -> float:
    """Top-1 in percent on the test split, or on one of `every` images of it."""
    test = data.as_dataset("test", form="pil", transform=lambda image: transform(image.convert("RGB")))
    tested = Subset(test, range(0, len(test), every))
    hits = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in DataLoader(tested, batch_size=500))
    return 100 * hits / len(tested)


def missing(table: Table, done: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """The networks that are not trained yet: seed by seed, so that what is there can be compared at any time."""
    there = {(entry["trained_on"], entry["training"], entry["seed"]) for entry in done}
    for seed in range(table.repeats):
        for training in table.trainings:
            yield from ((name, training, seed) for name in rows(table) if (name, training, seed) not in there)


def run(name: str, table: Table, results: Path, runs: Path) -> None:
    """Train the networks that are missing, and write the page after each."""
    record = results / "exported" / name / "record.json"
    described = json.loads(json.dumps({**asdict(table), "data": public_name(table.data)}))
    content: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {"networks": []}
    if content.get("table", described) | {"repeats": table.repeats} != described:
        raise SystemExit(f"exported: {record} has networks of another table: remove it, or choose another --results")
    content = {"table": described, "networks": content["networks"]}
    data = load(table.data)
    for trained_on, training, seed in list(missing(table, content["networks"])):
        whole = made(table, trained_on, seed, data, runs / "exported" / name)
        folder = runs / "exported" / name / "folder"
        shutil.rmtree(folder, ignore_errors=True)
        started = perf_counter()
        network, transform = trained(export(whole, folder, "folder"), table.epochs, seed, TRAININGS[training])
        seconds = perf_counter() - started
        reached = accuracy(network, data, transform, table.every)
        entry = {"trained_on": trained_on, "training": training, "seed": seed, "accuracy": reached}
        facts = {"images": len(whole.images), "clipped": whole.clipped, "loss_of_rendering": whole.loss_of_rendering, "seconds": seconds}
        content["networks"].append({**entry, **facts, "made_by": provenance.made_by()})
        write_atomic(record, json.dumps(content, indent=1) + "\n")
        write_page(results / "exported")
        print(f"{name}: {trained_on}, {training}, seed {seed}: {entry['accuracy']:.2f}% after {clock(seconds)}", flush=True)
    write_index({**EXPERIMENTS, **kept(results)}, results)
    print(f"written to {results / 'exported'}")


def main() -> None:
    """Read the options and run a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.exported", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("name", choices=tuple(TABLES))
    parser.add_argument("--data", help="where the images are, if they are elsewhere: folder:PATH@64")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where the records and the page are written")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where the sets are kept")
    parser.add_argument("--repeats", type=int, default=5, help="networks of a set and a training; more can be added later")
    arguments = parser.parse_args()
    table = replace(TABLES[arguments.name], repeats=arguments.repeats)
    run(arguments.name, replace(table, data=arguments.data or table.data), arguments.results, arguments.runs)


if __name__ == "__main__":
    main()
