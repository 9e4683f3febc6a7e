"""What kept targets give: ``python -m benchmarks.targets`` times steps with fresh and with kept targets, and weighs the files.

Pictures are random and the pretrained network is drawn once: time and size do not depend on what they show. With ``--data cifar10`` the
images are read from ``DATASTILL_DATA``.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import composed, noise, seconds
from benchmarks.targets_page import write_page
from datastill import provenance
from datastill.data import DataSet, load
from datastill.encoders import FreshNetwork
from datastill.engine import Engine
from datastill.files import make_folder, write_atomic
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import DistributionMatching


def opened(method: DistributionMatching, data: DataSet, engine: Engine, ipc: int) -> MatchingStepper:
    """The stepper of a method."""
    stepper = method.open(data, engine, ipc, 0)
    if not isinstance(stepper, MatchingStepper):
        raise TypeError("expected distribution matching")
    return stepper


def steps(stepper: MatchingStepper, first: int, rounds: int) -> list[float]:
    """Seconds of steps."""
    return [seconds(lambda iteration=first + number: stepper.step(iteration)) for number in range(rounds)]  # type: ignore[misc]  # a default


def compared(name: str, data: DataSet, *, ipc: int, targets: int, images: int, rounds: int) -> dict[str, Any]:
    """Seconds of a step with fresh and with kept targets, in turn, and what computing and keeping them takes.

    Args:
        name: Of the method.
        data: What is distilled.
        ipc: Synthetic images of a class.
        targets: Draws kept of one network.
        images: Real images of a class that a kept target is taken from; 0 for the method's batch.
        rounds: Steps of either.
    """
    fresh = composed(name, None, data.classes, ipc)
    encoder = FreshNetwork(fresh.encoders["matching"].network, count=1, targets=targets, target_images=images)
    kept = replace(fresh, encoders={**fresh.encoders, "matching": encoder})
    engine = Engine.choose(cost=fresh.cost(data, ipc) * 1000)
    first, second = (opened(method, data, engine, ipc) for method in (fresh, kept))
    store = second.targets.kept["matching"]
    second.encoders["matching"].begin(0)
    computing = [seconds(lambda number=number: store.of([0], [number])) for number in range(targets)]  # type: ignore[misc]  # a default
    files = list((Path(os.environ["DATASTILL_CACHE"]) / "targets").glob("*.safetensors"))
    sizes = [path.stat().st_size for path in files]
    steps(first, 0, 2)
    steps(second, 0, 2)
    taken = [(steps(first, 2 + number, 1)[0], steps(second, 2 + number, 1)[0]) for number in range(rounds)]
    of_fresh, of_kept = (median(column) for column in zip(*taken, strict=True))
    for path in files:
        path.unlink()
    return {
        "method": name,
        "ipc": ipc,
        "fresh_seconds": of_fresh,
        "kept_seconds": of_kept,
        "ratio": of_fresh / of_kept,
        "computing_seconds": median(computing),  # of one network and draw; the first one compiles
        "bytes": median(sizes),  # of one network and draw
        "engine": engine.describe(),
    }


def main() -> None:
    """Print one line of JSON for every method, and write them with their page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("methods", nargs="*", default=["dm", "dm+iid"], help="methods whose matching network is random")
    parser.add_argument("--data", help="a data set; random pictures of 32x32 in ten classes by default")
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--targets", type=int, default=4, help="draws kept of one network")
    parser.add_argument("--images", type=int, default=0, help="real images of a class of a kept target; 0 for the method's batch")
    parser.add_argument("--rounds", type=int, default=5, help="steps of either")
    parser.add_argument("--out", type=Path, help="a folder for measurements.json and README.md")
    arguments = parser.parse_args()
    data = load(arguments.data) if arguments.data else noise(10, 32)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATASTILL_CACHE"] = folder
        for name in arguments.methods:
            found = compared(name, data, ipc=arguments.ipc, targets=arguments.targets, images=arguments.images, rounds=arguments.rounds)
            print(json.dumps(found), flush=True)
            rows.append(found)
    if arguments.out:
        content = {
            "command": shlex.join(["python", "-m", "benchmarks.targets", *sys.argv[1:]]),
            "data": data.name,
            "classes": data.classes,
            "real_images": arguments.images or composed(arguments.methods[0], None, data.classes, arguments.ipc).real_batch,
            "rounds": arguments.rounds,
            "rows": rows,
            "made_by": provenance.made_by(),
        }
        make_folder(arguments.out)
        write_atomic(arguments.out / "measurements.json", json.dumps(content, indent=1) + "\n")
        write_page(arguments.out)
        print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
