"""What a pretrained network reaches and in what time, as a page and a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datastill.files import write_atomic


def write_teachers(title: str, rows: Sequence[dict[str, Any]], points: Sequence[dict[str, Any]], target: Path, *, remark: str = "") -> None:
    """Write a Markdown page with accuracy, time and work of every recipe, epoch by epoch, and what the numbers stand on.

    Args:
        title: The page's heading.
        rows: Lines as in ``table.csv``.
        points: Lines as in ``curve.csv``.
        target: The page; ``curve.png`` is beside it.
        remark: What else a reader must know.
    """
    first = rows[0]
    lines = [
        f"# {title}",
        "",
        "| recipe | held-out accuracy % | minutes | TFLOP | GFLOP/s | epochs (of half size) |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{row['recipe']}` | {row['held_out_accuracy']:.2f} | {row['minutes']:.1f} | {row['tflop']:.3g} | {row['gflops']:.0f} "
            f"| {row['epochs']} ({row['half_size_epochs']}) |"
            for row in rows
        ),
        "",
        f"Top-1 of one {first['network']} a line, so without a spread, on {first['held_out']} images of {first['data']} that are held "
        f"out of the training split as validation split; {first['train']} are trained on. The test split is not looked at. Minutes are of "
        "training by the clock: compiling is included, or finding what an earlier process compiled; measuring is left out. Training counts "
        "as three forward passes.",
        "",
        "![accuracy over minutes](curve.png)",
        "",
        "| recipe | epoch | minutes so far | accuracy on its training batches % | held-out accuracy % |",
        "|---|---|---|---|---|",
        *(
            f"| `{point['recipe']}` | {point['epoch']} | {point['minutes']:.2f} | {point['training_accuracy']:.2f} "
            f"| {point['held_out_accuracy']:.2f} |"
            for point in points
        ),
        "",
        "Training batches are augmented, and each is classified before its step.",
        "",
        "| recipe | values | seed | engine | commit | machine | log |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| `{row['recipe']}` | {_values(row)} | {row['seed']} | {_engine(row)} | {row['commit']} "
            f"| {row['processor']}, {row['cores']} cores, torch {row['torch']} | [{row['log']}]({row['log']}) |"
            for row in rows
        ),
    ]
    if remark:
        lines += ["", remark]
    write_atomic(target, "\n".join(lines) + "\n")


def write_teacher_curves(points: Sequence[dict[str, Any]], target: Path, title: str) -> None:
    """Draw accuracy over minutes of training, a colour per recipe: held-out as a line, on the training batches dashed.

    Args:
        points: Lines as in ``curve.csv``.
        target: A PNG file.
        title: Above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    axes = figure.subplots()
    for number, recipe in enumerate(dict.fromkeys(point["recipe"] for point in points)):
        mine = [point for point in points if point["recipe"] == recipe]
        minutes = [point["minutes"] for point in mine]
        axes.plot(minutes, [point["held_out_accuracy"] for point in mine], marker="o", color=f"C{number}", label=f"{recipe}, held out")
        axes.plot(minutes, [point["training_accuracy"] for point in mine], "x--", color=f"C{number}", label=f"{recipe}, training batches")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("top-1, %")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomic(target, buffer.getvalue())


def _values(row: dict[str, Any]) -> str:
    augmented = "augmented" if row["augment"] else "not augmented"
    return (
        f"{row['schedule']}, learning rate {row['learning_rate']}, momentum {row['momentum']}, weight decay {row['weight_decay']}, "
        f"batch {row['batch']}, {augmented}"
    )


def _engine(row: dict[str, Any]) -> str:
    return f"{row['device']}, {row['precision']}, {'compiled' if row['compiled'] else 'not compiled'}"
