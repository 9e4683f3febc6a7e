"""A table of results as a page, generated from the figures and never typed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datastill.files import write_atomic


def write_table(title: str, rows: Sequence[dict[str, Any]], target: Path, *, picture: str | None, remark: str = "") -> None:
    """Write a Markdown page with the accuracies, the paper's and everything the numbers stand on.

    Args:
        title: The page's heading.
        rows: Lines as in ``table.csv``.
        target: The page.
        picture: A file beside it to show, or None.
        remark: What else a reader must know.
    """
    tracks = list(dict.fromkeys(row["labels"] for row in rows))
    lines = [f"# {title}"]
    for track in tracks:  # what soft labels reach is never compared with what hard ones do
        heading = ["", f"## Labels: {track}"] if len(tracks) > 1 else []
        lines += [*heading, "", *_accuracies([row for row in rows if row["labels"] == track])]
    first = rows[0]
    lines += [
        "",
        f"Top-1 on the {first['split']} split of {first['data']}, IPC {first['ipc']}: n networks ({_all(rows, 'network')}) trained from "
        f"scratch for {first['epochs']} epochs under the DC protocol on the {_all(rows, 'trained_on')} images of the set after the last "
        f"iteration{_parts(rows)}. Labels: {' and '.join(tracks)}; learning rate: {_all(rows, 'learning_rate')}. The standard deviation is "
        f"over those networks; the runs are one for each line, on {first['train']} training images; the others are held out as validation "
        f"split.",
        "",
        "| method | preset | iterations | real images a class and step, at most | terms | networks | pixels | minutes of distilling; of "
        "the teacher | seeds (run; evaluation) | precision | commit (run; evaluation) | log |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row['method']}` | {row['preset']} | {row['iterations']} | {row['real_batch']} | {row['terms']} | {row['networks']} "
        f"| {row['pixels']} | {_minutes(row['minutes'])}; "
        f"{_minutes(row['teacher_minutes']) if 'pretrained' in row['networks'] else 'none'} | {row['run_seed']}; "
        f"{row['evaluation_seeds']} | {row['precision']} | {row['commit']}; {row['evaluation_commit']} | [{row['log']}]({row['log']}) |"
        for row in rows
    ]
    lines += [
        "",
        "Minutes of distilling: median step times steps, compiling and validations left out. Minutes of the teacher: by the clock.",
    ]
    if picture:
        lines += ["", f"![accuracy over iterations]({picture})", "", "The curve is measured on the validation split, one network a point."]
    if remark:
        lines += ["", remark]
    write_atomic(target, "\n".join(lines) + "\n")


def _accuracies(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = ["| method | accuracy % (mean +- std) | 95% interval | n | paper | difference |", "|---|---|---|---|---|---|"]
    for row in rows:
        interval = "" if row["interval95"] is None else f"+- {row['interval95']:.2f}"
        spread = f" +- {row['std']:.2f}" if row["n"] > 1 else ""  # one network has none
        difference = "" if row["paper"] is None else f"{row['accuracy'] - row['paper']:+.2f}"
        lines.append(
            f"| `{row['method']}` | {row['accuracy']:.2f}{spread} | {interval} | {row['n']} "
            f"| {'' if row['paper'] is None else row['paper']} | {difference} |"
        )
    return lines


def write_csv(rows: Sequence[dict[str, Any]], target: Path) -> None:
    """Write lines that have the same columns as comma-separated values."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(target, buffer.getvalue())


def _all(rows: Sequence[dict[str, Any]], column: str) -> str:
    return ", ".join(dict.fromkeys(str(row[column]) for row in rows))


def _parts(rows: Sequence[dict[str, Any]]) -> str:
    return ", the parts of stored images counted" if any(row["trained_on"] > row["images"] for row in rows) else ""


def _minutes(value: float | None) -> str:
    return "not recorded" if value is None else f"{value:.1f}"
