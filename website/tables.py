"""Tables of results in the pages: their numbers are those of ``results``, never typed."""

from __future__ import annotations

import csv
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from datastill.methods import published_of
from datastill.methods.published import PublishedAccuracy
from datastill.report.values import values as report_values
from datastill.setting import Lookup, Setting

ROOT = Path(__file__).parents[1]
WIDTH = 140
"""Letters of a line of prose at most."""
PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", flags=re.DOTALL)


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        words: What it is for, or the command's words for it; the first column.
        experiment: The folder of its results.
        method: The name of its line there.
        ipc: Images per class.
    """

    words: str
    experiment: str
    method: str
    ipc: int


def _chosen(method: str) -> Row:
    return Row(f"`{method}`", "selection", method, 10)


TABLES = {
    "cifar10": (
        _chosen("random"),
        _chosen("herding"),
        Row("`dm --preset code`", "components-cifar10-ipc10", "dm", 10),
        Row("`dm+cc --preset code`", "components-cifar10-ipc10", "dm+cc", 10),
        Row("`dm+cm --preset code`", "components-cifar10-ipc10", "dm+cm", 10),
        Row("`dm+iid --preset code`", "components-cifar10-ipc10", "dm+iid", 10),
        Row("`dm --preset fast`", "table6-cifar10", "dm", 10),
        Row("`dm+cm --preset fast`", "table6-cifar10", "dm+cm", 10),
        Row("`dm+iid --preset fast`, reading a ConvNet", "table6-cifar10", "dm+iid", 10),
        Row("`dm+iid --preset fast`, squared form", "longer-cifar10-ipc10", "dm+iid", 10),
        Row("`idm --preset fast`", "idm-cifar10-ipc10", "idm", 10),
        Row("`idm+iid --preset fast`", "idm-cifar10-ipc10", "idm+iid", 10),
        Row("`idm+iid --preset fast`, squared form, `matching.steps=10`", "idm-queue-cifar10-ipc10", "idm+iid", 10),
        Row("`tgdd+cm --preset best`", "best-cifar10-ipc10", "tgdd+cm", 10),
    ),
    "digits": tuple(Row(f"`{method}`", "sets-digits", method, ipc) for ipc in (1, 2, 5, 10) for method in ("random", "dm+iid")),
    "choosing": (
        Row("a baseline that costs nothing", "selection", "random", 10),
        Row("real images, unchanged, the best choice of them", "selection", "herding", 10),
        Row("the simplest distilled set", "table6-cifar10", "dm", 10),
        Row("more accuracy for little more time", "table6-cifar10", "dm+cm", 10),
        Row("the paper's two constraints, reading a ConvNet", "table6-cifar10", "dm+iid", 10),
        Row("the same reading a ResNet18, squared form", "longer-cifar10-ipc10", "dm+iid", 10),
        Row("the highest accuracy per minute", "idm-cifar10-ipc10", "idm", 10),
        Row("the constraints on partitioned images", "idm-cifar10-ipc10", "idm+iid", 10),
        Row("the highest accuracy", "best-cifar10-ipc10", "tgdd+cm", 10),
        Row("one image a class", "idm-cifar10-ipc1", "idm", 1),
    ),
    "rehearsal": tuple(
        Row("`" + method + "`", "grid-cifar10-ipc10", method, 10)
        for name in ("dm", "idm", "datadam", "cafe", "m3d")
        for method in (name, f"{name}+iid")
    ),
}
"""The tables by name. Rows of one table are measured under one protocol: see the test."""


def table(name: str, results: Path = ROOT / "results", above: str = "") -> list[str]:
    """Write a table as lines of Markdown.

    Args:
        name: One of `TABLES`.
        results: The folder of all results.
        above: What leads to that folder from the page.
    """
    first = "you want" if name == "choosing" else "method"
    method = ["method", "preset"] if name == "choosing" else []
    head = [first, *method, "IPC", "accuracy %", "networks", "published", "steps", "minutes", ""]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for row in TABLES[name]:
        found = line(row, results)
        spread = f"\u00a0±\u00a0{float(found['std']):.1f}" if found["std"] else ""
        minutes = f"{float(found['minutes']):.1f}" if found["minutes"] and found["iterations"] not in ("0", "1") else ""
        cells = [
            row.words,
            *([f"`{row.method}`", found["preset"]] if method else []),
            str(row.ipc),
            f"{float(found['accuracy']):.1f}{spread}",
            found["n"],
            _published(found),
            found["iterations"] if minutes else "",
            minutes,
            f"[record]({above}results/{row.experiment}/README.md)",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def values(name: str) -> list[str]:
    """What is published of a method, and its values by IPC and preset on CIFAR-10, as lines of Markdown."""
    found, lines = published_of(name), list[str]()
    ipcs = sorted({ipc for _, ipc in found}) or [1, 10, 50]
    if found:
        lines += [f"| published accuracy % | {' | '.join(f'IPC {ipc}' for ipc in ipcs)} |", "|" + "---|" * (1 + len(ipcs))]
        for data in dict.fromkeys(data for data, _ in found):
            cells = [str(found[data, ipc].percent) if (data, ipc) in found else "" for ipc in ipcs]
            lines.append(f"| {data} | {' | '.join(cells)} |")
        said = dict.fromkeys(
            f"{accuracy.protocol.upper() or 'its own'} protocol, {accuracy.qualifier}".rstrip(", ") for accuracy in found.values()
        )
        lines += ["", f"Published under: {'; '.join(said)}.", ""]
    columns = {f"{preset}, IPC {ipc}": _composed(name, ipc, preset) for preset in ("paper", "code", "fast") for ipc in (1, 10, 50)}
    paths = dict.fromkeys(path for each in columns.values() for path in each)
    varying = [path for path in paths if len({each.get(path) for each in columns.values()}) > 1]
    if varying:
        shown = {
            head: each for head, each in columns.items() if head.startswith("paper") or each != columns[f"paper, {head.split(', ')[1]}"]
        }
        lines += [f"| value | {' | '.join(shown)} |", "|" + "---|" * (1 + len(shown))]
        lines += [f"| `{path}` | {' | '.join(each.get(path, '') for each in shown.values())} |" for path in varying]
        lines.append("")
    always = [f"`{path}` {columns['paper, IPC 1'][path]}" for path in paths if path not in varying and "." not in path]
    lines += textwrap.wrap(f"Always: {', '.join(always)}.", WIDTH, break_long_words=False, break_on_hyphens=False) if always else []
    return lines or ["It has no values to set."]


def _composed(name: str, ipc: int, preset: str) -> dict[str, str]:
    """Every value of a method on CIFAR-10, by path."""
    found = report_values(Lookup(name, Setting("cifar10", 10, ipc, preset, 32)))
    parts = {value.path.rpartition(".")[0] for value in found}  # a recipe stands by its fields
    return {value.path: str(value.value) for value in found if value.path not in parts}


def _published(line: dict[str, str]) -> str:
    """What is published, with what must be said beside it."""
    if not line["paper"]:
        return ""
    return str(PublishedAccuracy(float(line["paper"]), best=line["paper_best"] == str(True), differs=line["paper_differs"]))


def line(row: Row, results: Path) -> dict[str, str]:
    """The line of ``table.csv`` that a row is about.

    Raises:
        LookupError: If there is none, or more than one.
    """
    with (results / row.experiment / "table.csv").open(encoding="utf-8", newline="") as file:
        found = [line for line in csv.DictReader(file) if (line["method"], line["ipc"]) == (row.method, str(row.ipc))]
    if len(found) != 1:
        raise LookupError(f"{row.experiment} has {len(found)} lines of {row.method} at IPC {row.ipc}, expected one")
    return found[0]


def filled(text: str, above: str = "") -> str:
    """A page with its tables written again, between ``<!-- table: NAME -->`` and ``<!-- end of table -->``."""

    def lines(name: str) -> list[str]:
        return values(name.removeprefix("values-")) if name.startswith("values-") else table(name, above=above)

    return PLACE.sub(lambda match: match[1] + "\n".join(lines(match[2])) + "\n" + match[3], text)


def pages() -> dict[Path, str]:
    """The pages that have tables, and what leads from each to the top of the repository."""
    found = {
        ROOT / "README.md": "",
        **dict.fromkeys(sorted((ROOT / "docs").glob("*.md")), "../"),
        ROOT / "docs/reference/methods.md": "../../",
    }
    return {path: above for path, above in found.items() if PLACE.search(path.read_text(encoding="utf-8"))}
