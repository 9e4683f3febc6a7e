"""The page and the picture of the benchmarks, from ``measurements.json`` and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datastill.files import write_atomic
from datastill.report.markdown import table

PURPOSES = {"dsa": "evaluation", "shift": "pretraining"}
USUAL = {"ipc": 10, "classes": 10, "side": 32}


def write_page(folder: Path) -> None:
    """Write ``README.md`` and ``bench.png`` beside ``measurements.json``."""
    content = json.loads((folder / "measurements.json").read_text())
    machine = content["made_by"]["machine"]
    lines = [
        "# Speed",
        "",
        f"Written by `make bench` at commit {content['made_by']['commit']}, in one run, except where noted, on {machine['processor']}, "
        f"{machine['cores']} cores, torch {machine['torch']}, {_engine(content['steps'][0]['engine'])}. Images of CIFAR-10's shape (32x32, "
        "10 classes unless said otherwise), "
        "256 real images a class and step (64 with the preset fast); seconds are medians, and the reference ran in turn with ours in the "
        "same process. "
        "The reference is the published algorithm: eager, 32 bits, class after class (`benchmarks/reference.py`).",
        "",
        *_speeds(content),
        "",
        "A single image has no spread and no covariance: without views or parts, `dm+iid` begins at IPC 2. Peak memory is the whole "
        "process's before the reference ran: PyTorch, compiler and the set of images included. Training counts as three forward passes; "
        "features are embeddings without gradients, one forward pass.",
        "",
        *_again(content),
        *_others(content.get("others", [])),
        *(line for parts in content["parts"] for line in _parts(parts)),
        "## Cost against IPC, classes and image size",
        "",
        *_scaling(content),
        "",
        "The first step includes compiling, or finding what an earlier process compiled: the first line was compiled by the table above.",
        "",
        "![times as fast as the published loop, the parts of a step, cost against size](bench.png)",
    ]
    write_atomic(folder / "README.md", "\n".join(lines) + "\n")
    _draw(content, folder / "bench.png")


SECTIONS = {"parts": "the parts of ", "scaling": "cost against size, "}
"""What tells a case from the like one in the first table, by group."""


def _again(content: dict[str, Any]) -> list[str]:
    """Which cases were measured later than the rest, by commit."""
    found: dict[str, list[str]] = {}
    for group in [name for name in content if name != "made_by"]:
        for row in content[group]:
            if "commit" in row:
                case = ", ".join([_step(row) if "method" in row else row["network"], *row.get("settings", ())])
                size = f" ({_size(row)})" if group == "scaling" else ""
                found.setdefault(row["commit"], []).append(f"{SECTIONS.get(group, '')}{case}{size}")
    return [
        line for commit, cases in found.items() for line in (f"Measured later on this machine, at commit {commit}: {'; '.join(cases)}.", "")
    ]


def _engine(described: dict[str, Any]) -> str:
    """The path that a step took; direct convolutions go without saying."""
    way = {"direct": "", "fused": ", norms fused"}
    convolutions = described.get("convolutions", "direct")
    compiled = "compiled" if described["compiled"] else "not compiled"
    return f"{described['precision']}, {compiled}{way.get(convolutions, f', convolutions by {convolutions}')}"


def _size(row: dict[str, Any]) -> str:
    ipc, classes, side = (row.get(name, value) for name, value in USUAL.items())
    return f"IPC {ipc}, {classes} classes, {side}x{side}" + (" (one step timed)" if row["rounds"] == row.get("times") == 1 else "")


def _step(row: dict[str, Any]) -> str:
    return f"`{row['method']}`, IPC {row['ipc']}" + (f", preset {row['preset']}" if "preset" in row else "")


def _parts(parts: dict[str, Any]) -> list[str]:
    shares = sorted(parts["parts"].items(), key=lambda entry: -entry[1])
    return [
        f"## Where the time of a `{parts['method']}` step goes (IPC {parts['ipc']})",
        "",
        *table(
            ["part", "s", "share"],
            [
                *([name, f"{value:.4f}", f"{100 * value / parts['seconds']:.1f}%"] for name, value in shares),
                ["whole step", f"{parts['seconds']:.4f}", None],
            ],
        ),
        "",
    ]


def _speeds(content: dict[str, Any]) -> list[str]:
    rows = [(_step(row), row) for row in content["steps"]]
    rows += [(f"training {row['network']}, {row['images']} images ({PURPOSES[row['augmentation']]})", row) for row in content["training"]]
    rows += [(f"features of {row['images']} images, {row['network']}", row) for row in content["features"]]
    peak = f"{content['steps'][0]['engine']['precision']} matrix peak"
    head = ["step", "path", "ours, s", "reference, s", "ratio", "GFLOP", "GFLOP/s", peak, "share", "peak memory, MiB"]
    return table(head, [_speed(name, row) for name, row in rows])


def _speed(name: str, row: dict[str, Any]) -> list[str | None]:
    compared = [f"{row['reference']:.3f}", f"{row['ratio']:.2f}"] if "ratio" in row else [None, None]
    share = f"{100 * row['gflops'] / row['peak']:.0f}%"
    whole = [f"{row[key]:.0f}" for key in ("gflop", "gflops", "peak")]
    return [name, _engine(row["engine"]), f"{row['seconds']:.3f}", *compared, *whole, share, f"{row['memory']:.0f}"]


def _others(rows: list[dict[str, Any]]) -> list[str]:
    """Methods of the other kinds; none in measurements from before they were measured."""
    if not rows:
        return []
    head = ["method", "path", "ours, s", "reference, s", "ratio", "GFLOP", "peak memory, MiB", "with the reference, MiB"]
    cells = [
        [
            ", ".join([_step(row), *row.get("settings", ())]),
            _engine(row["engine"]),
            *(f"{row[key]:.{digits}f}" for key, digits in (("seconds", 3), ("reference", 3), ("ratio", 2), ("gflop", 0))),
            *(f"{row[key]:.0f}" for key in ("memory", "reference_memory")),
        ]
        for row in rows
    ]
    return [
        "## Gradients, trajectories, unrolled training, kernels",
        "",
        "The published values, but for those named. The reference is never compiled and keeps the graphs of all inner steps in memory; "
        "ours keeps the weights and takes the steps again. With `through=no` ours is the form of constant memory, and the reference is "
        "still the whole. The second memory is the peak of the process once both ran.",
        "",
        *table(head, cells),
        "",
    ]


def _scaling(content: dict[str, Any]) -> list[str]:
    head = ["`dm+iid`", "s a step", "GFLOP", "GFLOP/s", "peak memory, MiB", "of it the set of images, MiB", "first step, s"]
    whole = ("gflop", "gflops", "memory", "images_memory")
    rows = [
        [_size(row), f"{row['seconds']:.3f}", *(f"{row[key]:.0f}" for key in whole), f"{row['first']:.1f}"] for row in content["scaling"]
    ]
    return table(head, rows)


def _draw(content: dict[str, Any], target: Path) -> None:
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    steps, parts, scaling = figure.subplots(1, 3)
    published = [row for row in content["steps"] if "ratio" in row]
    rows = published + content["training"] + content["features"]
    names = [
        *(f"{row['method']}, IPC {row['ipc']}" for row in published),
        *(f"training {row['network']}" for row in content["training"]),
        *(f"features, {row['network']}" for row in content["features"]),
    ]
    steps.barh(names[::-1], [row["ratio"] for row in rows][::-1])
    steps.axvline(1, color="black", linewidth=0.8)
    steps.set_xlabel("times as fast as the published loop")
    shares = sorted(content["parts"][0]["parts"].items(), key=lambda entry: entry[1])[-6:]
    parts.barh([name for name, _ in shares], [1000 * value for _, value in shares])
    parts.tick_params(axis="y", labelsize=7)
    parts.set_xlabel(f"ms of a {content['parts'][0]['method']} step")
    for label, key, others in (
        ("IPC", "ipc", {}),
        ("classes", "classes", {}),
        ("side", "side", {}),
        ("classes, 64x64", "classes", {"side": 64}),
    ):
        mine = sorted(
            (row.get(key, USUAL[key]) / USUAL[key], row["seconds"]) for row in content["scaling"] if _only_varies(row, key, USUAL | others)
        )
        scaling.plot([place for place, _ in mine], [value for _, value in mine], marker="o", label=label)
    scaling.set_xscale("log", base=2)
    scaling.set_yscale("log")
    scaling.set_xlabel("IPC / 10, classes / 10, side / 32")
    scaling.set_ylabel("s a dm+iid step")
    scaling.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())


def _only_varies(row: dict[str, Any], key: str, others: dict[str, int]) -> bool:
    return all(row.get(name, USUAL[name]) == value for name, value in others.items() if name != key)
