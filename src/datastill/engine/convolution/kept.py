"""What was measured on this machine, kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from datastill.data import cache_folder
from datastill.engine.convolution import native
from datastill.errors import UserError
from datastill.files import locked, make_folder, read_sealed, sealed, write_atomic
from datastill.provenance import machine


def kept(what: str, names: Sequence[str], measure: Callable[[Mapping[str, float]], dict[str, float]]) -> dict[str, float]:
    """What was measured on this machine, now or before; one process measures, and others wait for it, so that all of them agree.

    Args:
        what: The name of the measurement.
        names: Of its numbers. It is made again as long as the first one is 0.
        measure: Makes it, from what was found before, if anything was.
    """
    try:
        path = cache_folder() / "measured" / f"{what}-{_machine()}.json"
        if (found := _read(path, names)) and found[names[0]]:
            return found
        make_folder(path.parent)
        with locked(path, "the measurement of this machine", wait=True):
            earlier = _read(path, names)
            if earlier and earlier[names[0]]:
                return earlier
            found = measure(earlier)
            if found != earlier:
                write_atomic(path, json.dumps(sealed({**found, "machine": machine()}), indent=1))
            return found
    except UserError:  # there is nowhere to keep it
        return measure({})


def _read(path: Path, names: Sequence[str]) -> dict[str, float]:
    """What is kept; empty if nothing is, or it is damaged and to be measured again."""
    try:
        content = read_sealed(path)[0] if path.is_file() else {}
    except UserError:
        return {}
    found = {name: float(value) for name in names if isinstance(value := content.get(name), int | float)}
    return found if len(found) == len(names) and all(math.isfinite(ratio) and ratio >= 0 for ratio in found.values()) else {}


def _machine() -> str:
    about = json.dumps({**machine(), "kernels": native.source()}, sort_keys=True)
    return hashlib.sha256(about.encode()).hexdigest()[:16]
