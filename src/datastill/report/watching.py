"""A run in the terminal while it goes on: rate, time left, the figures of its steps, the last accuracy, its images."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.style import Style
from rich.text import Text

from datastill.errors import UserError
from datastill.progress import clock
from datastill.progress.pace import speed
from datastill.report.terminal import say_line
from datastill.runs.status import FINISHED, PREPARING, STOPPED, WAITING, Status, newest_images, read_status
from datastill.text import escaped

SECONDS = 1.0
"""Between two looks at the folder, at least."""
SHARE = 10
"""At most 1 / 10 of the time goes into looking: the figures of a long run are many."""
BARS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-=+*#@"
"""The same for a terminal without them."""
WIDEST = 40
"""Columns of a sparkline at most."""
DECADES = 100.0
"""Figures that span more than this factor are shown by their logarithms."""
LARGEST = 16
"""Columns of an image at most."""
SHOWN = 2
"""Images per class at most."""
COLOURS = ("256", "truecolor")


def watch(folder: Path) -> None:
    """Show a run until it ends; where there is no terminal, once.

    Args:
        folder: The run's, which another process may be at work on; a run that has not begun is waited for.

    Raises:
        UserError: If the folder holds anything else, is damaged, or is removed while it is watched.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    status = read_status(folder)
    if not console.is_terminal:
        for line in lines(status, console.width, plain=_plain(console)):
            say_line(line)
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            began = time.monotonic()
            live.update(view(status, console), refresh=True)
            if status.over:
                return
            time.sleep(max(SECONDS, SHARE * (time.monotonic() - began)))
            before, status = status, read_status(folder)
            if before.state != WAITING and status.state == WAITING:
                raise UserError(f"{folder} is no longer there: the run was removed")


def view(status: Status, console: Console) -> Group:
    """Everything that is shown: the lines, and the images where there are colours enough.

    Args:
        status: Of the run.
        console: Where it is shown.
    """
    shown = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines(status, console.width, plain=_plain(console))]
    images = newest_images(status) if console.color_system in COLOURS and not _plain(console) else None
    return Group(*shown, *(blocks(images, console.width) if images is not None else ()))


def lines(status: Status, width: int, *, plain: bool = False) -> list[str]:
    """The state of a run in lines of text.

    Args:
        status: Of the run.
        width: Columns; no line is wider.
        plain: Whether only ASCII is used.

    Example:
        >>> from pathlib import Path
        >>> lines(Status(Path("runs/a"), "running", "dm", "digits", 1, 2, 4, 0.5, {"mm": [4.0, 2.0]}, [(2, 31.5)]), 60)
        ['dm on digits, IPC 1, in runs/a', 'running: 2 of 4, 2.0 it/s, 1s left', 'mm █▁ 2', 'validation 31.50% after iteration 2']
    """
    if status.state == WAITING:
        return [_cut(f"waiting for {status.folder}, which has not begun", width)]
    found = [f"{status.method} on {status.data}, IPC {status.ipc}, in {status.folder}", _progress(status)]
    names = max(map(cell_len, [*status.terms, *(["validation"] if len(status.validated) > 1 else [])]), default=0)
    for name, values in status.terms.items():
        found.append(_figures(name, values, f"{values[-1]:.4g}", names, width, plain))
    if status.validated:
        iteration, accuracy = status.validated[-1]
        last = f"{accuracy:.2f}% after iteration {iteration}"
        several = len(status.validated) > 1
        found.append(_figures("validation", [value for _, value in status.validated] if several else [], last, names, width, plain))
    return [_cut(line, width) for line in found]


def sparkline(values: Sequence[float], width: int, *, plain: bool = False) -> str:
    """Values from left to right as bars, each the mean of as many; a value that is not finite is an "x".

    Args:
        values: Any number of them.
        width: Characters at most.
        plain: Whether only ASCII is used.

    Example:
        >>> sparkline([1, 2, 3, 4], 4), sparkline([1, 1, 8, 8], 2), sparkline([5.0, float("nan")], 4)
        ('▁▃▆█', '▁█', '▁x')
    """
    parts = [part for part in np.array_split(np.asarray(values, dtype=np.float64), max(1, min(width, len(values)))) if len(part)]
    means = [float(part.mean()) for part in parts]
    finite = [value for value in means if math.isfinite(value)]
    if finite and min(finite) > 0 and max(finite) / min(finite) > DECADES:
        means = [math.log(value) if math.isfinite(value) else value for value in means]
        finite = [value for value in means if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    bars, span = (PLAIN if plain else BARS), (high - low) or 1.0
    return "".join(bars[math.floor((value - low) / span * (len(bars) - 1) + 0.5)] if math.isfinite(value) else "x" for value in means)


def blocks(images: NDArray[np.uint8], width: int) -> list[Text]:
    """Images as half blocks, two pixels to a character: a column for each class, as many as fit.

    Args:
        images: ``class image height width channel``.
        width: Columns.
    """
    height, across = images.shape[2:4]
    scale = min(1.0, min(LARGEST, width) / max(height, across))
    size = (max(1, round(across * scale)), max(2, 2 * round(height * scale / 2)))
    classes = images[: max(1, (width + 1) // (size[0] + 1)), :SHOWN]
    canvas = np.zeros((classes.shape[1] * (size[1] + 2), len(classes) * (size[0] + 1), 3), dtype=np.uint8)
    for place, of_class in enumerate(classes):
        for number, image in enumerate(of_class):
            small = Image.fromarray(np.broadcast_to(image, (height, across, 3)).copy()).resize(size, Image.Resampling.BOX)
            top, left = number * (size[1] + 2), place * (size[0] + 1)
            canvas[top : top + size[1], left : left + size[0]] = np.asarray(small)
    return [_half_blocks(canvas[row], canvas[row + 1], width) for row in range(0, len(canvas) - 2, 2)]


def _half_blocks(upper: NDArray[np.uint8], lower: NDArray[np.uint8], width: int) -> Text:
    line = Text(no_wrap=True)
    for above, below in list(zip(upper.tolist(), lower.tolist(), strict=True))[:width]:
        line.append("▀", Style(color=_colour(above), bgcolor=_colour(below)))
    return line


def _colour(channels: list[int]) -> str:
    return f"#{channels[0]:02x}{channels[1]:02x}{channels[2]:02x}"


def _progress(status: Status) -> str:
    steps = f"{status.done} of {status.total}"
    if status.state == PREPARING:
        return f"preparing: {steps}; networks may be trained first"
    if status.state == STOPPED:
        return f"stopped: {steps}; datastill resume {status.folder} continues it"
    if status.state == FINISHED:
        return f"finished: {steps}; datastill evaluate {status.folder} measures it"
    if status.seconds is None or status.left is None or not math.isfinite(status.seconds):
        return f"running: {steps}"
    return f"running: {steps}, {speed(status.seconds, 'it')}, {clock(status.left)} left"


def _figures(name: str, values: Sequence[float], last: str, names: int, width: int, plain: bool) -> str:
    """A name, a sparkline where there is room for one, and the last value."""
    room = min(WIDEST, width - names - len(last) - 2)
    bars = sparkline(values, room, plain=plain) if room >= 4 and values else ""
    return " ".join(filter(None, [name.ljust(names), bars, last]))


def _cut(line: str, width: int) -> str:
    text = Text(escaped(line))
    text.truncate(width, overflow="crop")
    return text.plain


def _plain(console: Console) -> bool:
    """Whether a terminal has only ASCII."""
    encoding = getattr(console.file, "encoding", None) or sys.getdefaultencoding()
    return not encoding.lower().replace("-", "").startswith("utf")
