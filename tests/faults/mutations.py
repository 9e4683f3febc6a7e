"""Damage of bytes, text and plain values, by a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, -9, 3, 2.9, 1e308, 10**30, float("nan"), float("inf"), "", "x", "0", "\ud800", "\x1b[31m", "a\nb", "e" * 300,
    [], {}, [[]], {"a": 1}, [1, "x", None],
)  # fmt: skip
"""Values of kinds that a reader does not expect."""
DEEP = 100_000
"""Levels of a nesting that exhausts a recursive reader."""


def flipped(content: bytes, chance: random.Random) -> bytes:
    """One bit is another one."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


def truncated(content: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return content[: chance.randrange(len(content))]


def zeroed(content: bytes, chance: random.Random) -> bytes:
    """A block was never written, as after a power cut."""
    start = chance.randrange(len(content))
    length = min(len(content) - start, 1 << chance.randrange(13))
    return content[:start] + bytes(length) + content[start + length :]


def replaced(content: bytes, chance: random.Random) -> bytes:
    """One byte is any other one."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :]


def moved(content: bytes, chance: random.Random) -> bytes:
    """A part is missing, or comes twice."""
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:start] + content[end:] if chance.random() < 0.5 else content[:end] + content[start:]


def noise(content: bytes, chance: random.Random) -> bytes:
    """Other bytes altogether."""
    return chance.randbytes(chance.randrange(len(content) + 1))


BYTES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    function.__name__: function for function in (flipped, truncated, zeroed, replaced, moved, noise)
}
"""Every damage of bytes by name."""


def damaged(content: bytes, chance: random.Random, kinds: Sequence[str] = tuple(BYTES)) -> bytes:
    """Damage bytes in one of some ways; what comes back differs."""
    for _ in range(100):
        found = BYTES[chance.choice(kinds)](content, chance)
        if found != content:
            return found
    raise ValueError("these bytes cannot be damaged")


def odd(value: Any, chance: random.Random) -> Any:
    """Plain values (mappings, lists, numbers, text) with one place changed: another kind of value, a key renamed, missing or added."""
    changed = copy.deepcopy(value)
    places = list(_places(changed))
    if not places:
        return chance.choice(ODD)
    holder, key = chance.choice(places)
    way = chance.randrange(4) if isinstance(holder, dict) else chance.randrange(2)
    if way == 0:
        holder[key] = copy.deepcopy(chance.choice(ODD))
    elif way == 1:
        holder[key] = _near(holder[key], chance)
    elif way == 2:
        del holder[key]
    else:
        holder[f"{key}x"] = holder.pop(key)
    return changed


def _near(value: Any, chance: random.Random) -> Any:
    """A value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return chance.choice((-value, value + 1, value * 1000, value + 0.5))
    if isinstance(value, str):
        place = chance.randrange(len(value) + 1)
        return value[:place] + chance.choice("x9é/\0 ") + value[place + 1 :]
    if isinstance(value, list):
        return value[:-1] if value and chance.random() < 0.5 else [*value, *value[-1:]]
    return copy.deepcopy(chance.choice(ODD))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of nested plain values, as a holder and a key."""
    found: list[tuple[Any, Any]] = []
    for holder, key in [(value, key) for key in value] if isinstance(value, dict) else []:
        found += [(holder, key), *_places(holder[key])]
    for number in range(len(value)) if isinstance(value, list) else ():
        found += [(value, number), *_places(value[number])]
    return found
