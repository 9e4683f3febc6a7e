"""``make bench``: every measurement in one run, each in a process of its own, written to ``results/benchmarks``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.page import write_page
from datastill import provenance
from datastill.files import check_folder, write_atomic
from datastill.progress import progress

STEPS: list[dict[str, Any]] = [
    *(
        {"kind": "step", "method": name, "ipc": ipc, "reference": True, "rounds": 2}
        for name, counts in (("dm", (1, 10, 50)), ("dm+iid", (10, 50)))
        for ipc in counts
    ),
    *({"kind": "step", "method": name, "ipc": 10, "reference": True, "warm": 1, "rounds": 1} for name in ("idm", "idm+iid")),
    *({"kind": "step", "method": name, "ipc": 10, "preset": "fast", "rounds": 2} for name in ("dm+iid", "idm+iid")),
]
TRAINING: list[dict[str, Any]] = [
    {"kind": "train", "network": "convnet", "images": 100, "augmentation": "dsa", "rounds": 9},
    {"kind": "train", "network": "resnet18", "images": 128, "augmentation": "shift"},
]
FEATURES: list[dict[str, Any]] = [
    {"kind": "features", "network": network, "images": 1024, "rounds": 2} for network in ("convnet", "resnet18")
]
PARTS: list[dict[str, Any]] = [
    {"kind": "parts", "method": "dm+iid", "ipc": 10},
    {"kind": "parts", "method": "idm+iid", "ipc": 10, "rounds": 1},
]
SCALING: list[dict[str, Any]] = [
    *(
        {"kind": "step", "method": "dm+iid", "ipc": 10, "rounds": 2, **change}
        for change in ({}, {"ipc": 2}, {"ipc": 50}, {"classes": 50}, {"classes": 100}, {"side": 16}, {"side": 64})
    ),
    # Minutes a step, so one is timed after one; no more images than a step takes, so that they do not hide the memory of the method.
    {"kind": "step", "method": "dm+iid", "ipc": 10, "classes": 200, "side": 64, "per_class": 256, "warm": 1, "rounds": 1, "times": 1},
]
OTHERS: list[dict[str, Any]] = [
    *({"kind": "other", "method": name, "ipc": 1} for name in ("dc", "dsa")),
    {"kind": "other", "method": "dcc", "ipc": 1, "settings": ["summed_from=0"]},
    {"kind": "other", "method": "dsa", "ipc": 10, "settings": ["epochs=5"], "warm": 1, "rounds": 1, "times": 1},
    {"kind": "other", "method": "mtt", "ipc": 1, "warm": 1, "rounds": 1, "times": 1},
    {"kind": "other", "method": "mtt", "ipc": 1, "settings": ["through=no"], "warm": 1, "rounds": 1, "times": 1},
    {"kind": "other", "method": "ftd", "ipc": 1, "warm": 1, "rounds": 1, "times": 1},
    {"kind": "other", "method": "dsa+iid", "ipc": 10, "preset": "paper", "settings": ["epochs=5"], "warm": 1, "rounds": 1, "times": 1},
    {"kind": "other", "method": "mtt+iid", "ipc": 10, "preset": "paper", "warm": 1, "rounds": 1, "times": 1},
    {"kind": "other", "method": "dd", "ipc": 10, "warm": 1, "rounds": 1},
    *({"kind": "other", "method": name, "ipc": 10} for name in ("kip", "frepo", "ld")),
]
"""At published values, but for fewer epochs of training between matches. Experts are not trained here."""
GROUPS = {"steps": STEPS, "others": OTHERS, "training": TRAINING, "features": FEATURES, "parts": PARTS, "scaling": SCALING}
NAMES = {"train": "training", "features": "features of"}


def measured(case: dict[str, Any]) -> dict[str, Any]:
    """Run one case in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measure", json.dumps(case)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    if result.returncode:
        sys.exit(f"bench: {case} failed:\n{result.stderr}")
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return {**case, **found}


def named(case: dict[str, Any]) -> str:
    """What a case is, as its line on the terminal begins."""
    what = case.get("method") or f"{NAMES[case['kind']]} {case['network']}"
    where = " ".join(f"{key} {case[key]}" for key in ("ipc", "preset", "classes", "side", "images") if key in case)
    return ", ".join([f"{what} {where}", *case.get("settings", ())])


def described(result: dict[str, Any]) -> str:
    """One line about a result."""
    line = f"{named(result)}: {result['seconds']:.3f} s"
    if "ratio" in result:
        line += f", reference {result['reference']:.2f} s, ratio {result['ratio']:.2f}"
    if "gflops" in result:
        share = 100 * result["gflops"] / result["peak"]
        line += f", {result['gflops']:.0f} GFLOP/s, {share:.0f}% of the {result['engine']['precision']} matrix peak"
    line += f", {result['memory']:.0f} MiB" if "memory" in result else ""
    return line + (f", reference {result['reference_memory']:.0f} MiB" if "reference_memory" in result else "")


def again(words: str, folder: Path, only: str | None = None) -> None:
    """Measure some cases of an earlier run again and write its page, which says so.

    Args:
        words: How the lines of these cases begin on the terminal.
        folder: That has the measurements.
        only: A group that they are of; None for all.
    """
    file, results = earlier(folder, "--again")
    groups = [name for name in GROUPS if only in (None, name)]
    there = [(name, number, named(case)) for name in groups for number, case in enumerate(results.get(name, ()))]
    chosen = [each for each in there if each[2] == words] or [each for each in there if f"{each[2]} ".startswith(f"{words} ".lstrip())]
    if not chosen:
        sys.exit(f"bench: no case of {folder} begins with '{words}'")
    for name, number, line in chosen:
        case = next((each for each in GROUPS[name] if named(each) == line), None)
        if case is None:
            sys.exit(f"bench: {line} is measured no more: run bench without --again")
        results[name][number] = {**measured(case), "commit": provenance.commit()}
        print(described(results[name][number]), flush=True)
        write_atomic(file, json.dumps(results, indent=1) + "\n")
        write_page(folder)
    print(f"written to {folder}")


def missing(folder: Path) -> None:
    """Measure the cases that an earlier run did not have, on the same machine, and write its page, which says so.

    Args:
        folder: That has the measurements.
    """
    file, results = earlier(folder, "--missing")
    for name, cases in GROUPS.items():
        there = {named(case): case for case in results.get(name, ())}
        for case in cases:
            if named(case) not in there:
                there[named(case)] = {**measured(case), "commit": provenance.commit()}
                print(described(there[named(case)]), flush=True)
                results[name] = [there[named(each)] for each in cases if named(each) in there]
                write_atomic(file, json.dumps(results, indent=1) + "\n")
                write_page(folder)
    print(f"written to {folder}")


def earlier(folder: Path, option: str) -> tuple[Path, dict[str, Any]]:
    """The file of earlier measurements, and what is in it; the program ends where there are none, or of another machine.

    Args:
        folder: That has them.
        option: What needs them, for the message.
    """
    file = folder / "measurements.json"
    if not file.exists():
        sys.exit(f"bench: nothing is measured in {folder} yet: run it without {option}")
    results = json.loads(file.read_text("utf-8"))
    before, here = results["made_by"]["machine"], provenance.machine()
    if changed := [f"{key} {before.get(key)} there, {here[key]} here" for key in here if before.get(key) != here[key]]:
        sys.exit(f"bench: {folder} was measured with another machine or software ({'; '.join(changed)}): run it without {option}")
    return file, results


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="where the figures and the page are written")
    parser.add_argument("--only", choices=tuple(GROUPS), help="one group; printed only, unless with --again")
    parser.add_argument(
        "--again", metavar="WORDS", help="measure again the case in --out with this line, or those whose line begins with these words"
    )
    parser.add_argument("--missing", action="store_true", help="measure the cases that --out has not")
    arguments = parser.parse_args()
    if not arguments.only or arguments.again is not None:
        check_folder(arguments.out)
    if arguments.again is not None:
        again(arguments.again, arguments.out, arguments.only)
        return
    if arguments.missing:
        missing(arguments.out)
        return
    chosen = {name: cases for name, cases in GROUPS.items() if arguments.only in (None, name)}
    results: dict[str, list[dict[str, Any]]] = {}
    with progress("bench", sum(len(cases) for cases in chosen.values()), unit="case") as bar:
        for name, cases in chosen.items():
            results[name] = []
            for case in cases:
                results[name].append(measured(case))
                print(described(results[name][-1]), flush=True)
                bar.advance()
    if arguments.only:
        return
    made_by = {"commit": provenance.commit(), "machine": provenance.machine()}
    write_atomic(arguments.out / "measurements.json", json.dumps({"made_by": made_by, **results}, indent=1) + "\n")
    write_page(arguments.out)
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
