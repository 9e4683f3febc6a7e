"""The page of a table of methods, made from its records alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from datastill.experiments.reading import read_cell
from datastill.experiments.record import Record
from datastill.experiments.specification import Experiment, Line
from datastill.files import write_atomic
from datastill.report.curve import write_curves, write_ratios
from datastill.report.durations import written
from datastill.report.markdown import table, write_csv
from datastill.report.model import CurvePoint, MethodLine, curve_points, method_line
from datastill.report.paired import differences, section

NOT_RUN = "not run"
"""What stands in the place of an accuracy that is not there."""

KEPT = (
    "The sets are kept beside their records: each row's folder has an `images.safetensors`, which `datastill.load_set` and `datastill list "
    "sets` find. They are packed (16-bit floats, or 8 bits from a channel's least to its largest value), and what was evaluated is what "
    "is in these files."
)
"""What a page says of sets that are kept."""


def write(name: str, experiment: Experiment, lines: Sequence[Line], results: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the records that are there.

    Args:
        name: Of the experiment, and of its folder below the results.
        experiment: The specification.
        lines: That it expands to.
        results: The folder of all results.
    """
    found, points, missing, absent, grids = [], [], [], [], list[str]()
    compared = list[tuple[Line, list[Record]]]()
    for line in lines:
        records = {cell.name.removeprefix(f"{name}/"): read_cell(cell, results) for cell in line.cells}
        missing += [place for place, record in records.items() if record is None]
        there = [(place, record) for place, record in records.items() if record is not None]
        if there:
            compared.append((line, [record for _, record in there]))
            found.append(method_line(line, [record for _, record in there], name))
        else:
            absent.append(line)
        if experiment.grids:
            grids += [place for place, _ in there if (results / name / place / "grid.png").exists()]
        if not line.row.of:
            points += [point for place, record in there for point in curve_points(place, record)]
    if not found:
        return
    folder = results / name
    write_csv(found, folder / "table.csv")
    if experiment.over_ipc:
        write_ratios(found, folder / "ratios.png", experiment.title)
    if points:
        write_csv(points, folder / "curve.csv")
        write_curves(points, folder / "curve.png", experiment.title)
    paired = section(differences(compared))
    write_atomic(folder / "README.md", "\n".join(_page(experiment, found, absent, missing, points, grids, paired)) + "\n")


def _page(
    experiment: Experiment,
    lines: Sequence[MethodLine],
    absent: Sequence[Line],
    missing: Sequence[str],
    points: Sequence[CurvePoint],
    grids: Sequence[str],
    paired: Sequence[str],
) -> list[str]:
    cells = sum(line.sets for line in lines)
    title = f"{experiment.title} ({cells} of {cells + len(missing)} cells)" if missing else experiment.title
    page = [f"# {title}", ""]
    if missing:
        page += [f"Not run: {', '.join(f'`{place}`' for place in missing)}.", ""]
    tracks = list(dict.fromkeys(line.labels for line in lines))
    methods = [row.name for row in experiment.rows]
    for track in tracks:  # what soft labels reach is never compared with what hard ones do
        mine = [line for line in lines if line.labels == track]
        one = len(tracks) == 1
        page += _tables(mine, absent, methods, "##") if one else [f"## Labels: {track}", "", *_tables(mine, (), methods, "###")]
    page += [_explained(lines), "", *_warnings(lines), *paired]
    page += ["![accuracy over images per class](ratios.png)", ""] if experiment.over_ipc else []
    page += [part for place in grids for part in (f"![{place}: a row of images for every class]({place}/grid.png)", "")]
    if points:
        page += ["![accuracy over iterations](curve.png)", "", "The curve is measured on the validation split, one network per point.", ""]
    if experiment.keep_sets:
        page += [KEPT, ""]
    if experiment.remark:
        page += [experiment.remark, ""]
    return [*page, "## Provenance", "", *_provenance(lines, several=len(_places(lines)) > 1)]


def _tables(lines: Sequence[MethodLine], absent: Sequence[Line], methods: Sequence[str], heading: str) -> list[str]:
    """The tables of lines that may be compared, one for every data set, and before several of them one of all together.

    Lines that have not been run are rows too: which labels they will have is known only afterwards, so not where there are several tracks.
    """
    places = list(dict.fromkeys([*_places(lines), *((line.block.name, line.ipc) for line in absent)]))
    page = [*_overview(lines, absent, methods, places), ""] if len(places) > 1 else []
    for data in dict.fromkeys(data for data, _ in places):
        mine = [line for line in lines if line.data == data]
        others = [line for line in absent if line.block.name == data]
        page += [*([f"{heading} {data}", ""] if len(places) > 1 else []), *_figures(mine, others), ""]
        page += [_protocol(mine), ""] if mine else []
    return page


def _places(lines: Sequence[MethodLine]) -> list[tuple[str, int]]:
    return list(dict.fromkeys((line.data, line.ipc) for line in lines))


def _overview(lines: Sequence[MethodLine], absent: Sequence[Line], methods: Sequence[str], places: Sequence[tuple[str, int]]) -> list[str]:
    """Methods against data sets and IPCs."""
    by_place = {(line.method, line.data, line.ipc): _accuracy(line) for line in lines}
    by_place |= {(line.row.name, line.block.name, line.ipc): NOT_RUN for line in absent}
    there = {method for method, *_ in by_place}
    rows = [[f"`{method}`", *(by_place.get((method, *place)) for place in places)] for method in methods if method in there]
    return table(["accuracy %", *(f"{data}, IPC {ipc}" for data, ipc in places)], rows)


def _figures(lines: Sequence[MethodLine], absent: Sequence[Line]) -> list[str]:
    head = [
        "method", "IPC (images per class)", "accuracy % (mean +- std)", "95% interval", "n", "published", "difference", "minutes",
        "protocol", "precision", "processor", "commit",
    ]  # fmt: skip
    rows = [
        [
            f"`{line.method}`",
            line.ipc,
            _accuracy(line),
            None if line.interval95 is None else f"+- {line.interval95:.2f}",
            line.n if line.sets == 1 else f"{line.n} on {line.sets} sets",
            None if line.published is None else str(line.published),
            None if line.difference is None else f"{line.difference:+.2f}",
            None if line.minutes is None else written(line.minutes),
            f"{line.network}, {line.epochs} epochs{_own_protocol(line)}",
            _halves(line.precision, line.evaluation_precision),
            _halves(line.processor, line.evaluation_processor),
            _halves(line.commit, line.evaluation_commit),
        ]
        for line in lines
    ]
    rows += [
        [f"`{line.row.name}`", line.ipc, NOT_RUN, None, None, None if line.published is None else str(line.published), *[None] * 6]
        for line in absent
    ]
    return table(head, rows)


def _own_protocol(line: MethodLine) -> str:
    """What a row says of its protocol beside the network and its epochs: nothing of the DC protocol itself."""
    return line.protocol.removeprefix("DC") if line.protocol.startswith("DC") else f", {line.protocol}"


def _protocol(lines: Sequence[MethodLine]) -> str:
    first = lines[0]
    parts = ", the parts of stored images counted" if any(line.trained_on > line.images for line in lines) else ""
    return (
        f"Top-1 on the {first.split} split of {first.data}: n networks trained from scratch under the {_protocols(lines)} on the "
        f"{_all(line.trained_on for line in lines)} images of the set after the last iteration{parts}. Labels: {first.labels}; "
        f"learning rate: {_all(line.learning_rate for line in lines)}. The sets are distilled from "
        f"{first.train} training images; the rest are held out as the validation split."
    )


def _protocols(lines: Sequence[MethodLine]) -> str:
    """The protocol of all lines, or that their column says it."""
    names = list(dict.fromkeys(line.protocol for line in lines))
    if len(names) > 1:
        return "protocol that each row says, which is the DC protocol otherwise,"
    name, _, changes = names[0].partition(", ")
    return f"{name} protocol{f' with changes ({changes})' if changes else ''}"


def _explained(lines: Sequence[MethodLine]) -> str:
    """What the columns mean."""
    spread = "The standard deviation (divided by n) and the interval are over the networks; there is one set per row."
    if any(line.sets > 1 for line in lines):
        spread = (
            "Where a row has several sets, one per distilling seed, the accuracy is the mean over the networks of all of them, and "
            "the standard deviation (divided by the number of seeds) and the interval are over the means of the sets, so over distilling "
            "seeds; elsewhere they are over the networks of the single set."
        )
    return (
        f"{spread} Minutes are of distilling: median seconds per step times steps, so compiling, validations and teachers are left out. "
        "Where a cell has two values, the first is for distilling and the second for evaluating. `table.csv` has the commands that repeat "
        "each row."
        + (
            " No difference is printed where the published number is of another measurement, as its words say."
            if any(line.paper_differs for line in lines)
            else ""
        )
    )


def _warnings(lines: Sequence[MethodLine]) -> list[str]:
    """What a reader must know before comparing lines, as the records say."""
    made = {(line.processor, line.commit) for line in lines if line.minutes is not None}
    said = (
        ["Minutes compare only between rows of one processor and one commit, as the code has become faster.", ""] if len(made) > 1 else []
    )
    precisions = {precision for line in lines for precision in (line.precision, line.evaluation_precision) if precision}
    if len(precisions) < 2:
        return said
    return [
        f"**Rows were run in several precisions ({', '.join(sorted(precisions))}): small differences between them may be due to that.**",
        "",
        *said,
    ]


def _provenance(lines: Sequence[MethodLine], *, several: bool) -> list[str]:
    head = [
        "method", "preset", "iterations", "most real images per class and step", "terms", "networks", "pixels", "minutes of the teacher",
        "seeds (run; evaluation)", "log",
    ]  # fmt: skip
    rows = [
        [
            f"`{line.method}`" + (f", {line.data}, IPC {line.ipc}" if several else ""),
            line.preset,
            line.iterations,
            line.real_batch,
            line.terms,
            line.networks,
            line.pixels,
            "not recorded" if line.teacher_minutes is None else written(line.teacher_minutes) if line.teacher_minutes else "none",
            f"{line.run_seed}; {line.evaluation_seeds}",
            f"[{line.log}]({line.log})",
        ]
        for line in lines
    ]
    return table(head, rows)


def _accuracy(line: MethodLine) -> str:
    return f"{line.accuracy:.2f}" + ("" if line.std is None else f" +- {line.std:.2f}")


def _halves(distilling: str, evaluating: str) -> str:
    """What is said of distilling and evaluating, once where it is the same; random images are not distilled."""
    if distilling in ("", evaluating):
        return evaluating
    return f"{distilling}; {evaluating or 'not recorded'}"


def _all(values: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, values)))
