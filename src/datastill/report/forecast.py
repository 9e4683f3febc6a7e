"""What a job would take, on the terminal."""

from __future__ import annotations

import shutil
from pathlib import Path

from datastill.engine.measuring import Forecast
from datastill.progress import clock
from datastill.report.terminal import say_line

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def print_forecast(forecast: Forecast, out: Path | None) -> None:
    """Print time, memory and disk, part by part.

    Args:
        forecast: What was measured.
        out: Where the job would write; None if that is not known, or nowhere.
    """
    say_line(forecast.title)
    rows = [(part.what, clock(part.seconds)) for part in forecast.parts]
    width = max((len(what) for what, _ in rows), default=0)
    for what, seconds in rows:
        say_line(f"  {what:<{width}}  {seconds:>7}")
    apart = f", {forecast.at_once} at once (one after the other {clock(forecast.seconds)})" if forecast.at_once > 1 else ""
    say_line(f"time        about {clock(forecast.lasts)} on {forecast.device}{apart}, measured over a few steps just now")
    if forecast.compiling >= 1:
        say_line(f"compiling   {clock(forecast.compiling)} just now, not included: compiled code is kept")
    if forecast.memory:
        say_line(f"memory      about {size(forecast.memory)}{' each' if forecast.at_once > 1 else ''}")
    cached = [part for part in forecast.parts if part.where]
    own = sum(part.kept for part in forecast.parts if not part.where)
    if own:
        say_line(f"disk        about {size(own)}{f' in {out} ({size(free(out))} free)' if out is not None else ''}")
    for part in cached:
        say_line(f"cache       about {size(part.kept)} in {part.where} ({size(free(Path(part.where)))} free)")
    say_line("Nothing was run or written.")


def free(path: Path) -> int:
    """Bytes that are free where a path is, or would be made."""
    there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(there).free


def size(number: float) -> str:
    """Write a number of bytes as people read it.

    Example:
        >>> size(999), size(44_691_240), size(1_900_000_000)
        ('999 bytes', '45 MB', '1.9 GB')
    """
    unit = 0
    while number >= 999.5 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.1f} {UNITS[unit]}" if unit and number < 9.95 else f"{number:.0f} {UNITS[unit]}"
