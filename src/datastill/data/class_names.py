"""Names of classes: chosen, told apart, and matched where they only look the same."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from datastill.errors import UserError, unknown
from datastill.logs import logger, note

log = logger(__name__)


def look(name: str) -> str:
    r"""A name in the one form of those that look the same: an accent may be part of a letter or a character after it (NFC and NFD).

    Example:
        >>> look("cafe\u0301") == look("caf\u00e9")
        True
    """
    return unicodedata.normalize("NFC", name)


def lookalikes(names: Iterable[str], where: str) -> None:
    """Refuse names that look the same, and tell of those that nearly do.

    Args:
        names: Of the classes of a split, all different.
        where: What they are of, for messages.

    Raises:
        UserError: If two names look the same.
    """
    first: dict[str, str] = {}
    nearly: dict[str, str] = {}
    for name in names:
        if (other := first.setdefault(look(name), name)) != name:
            raise UserError(
                f"{where}: two classes look the same, {other!a} and {name!a}: an accent is part of the letter in one (NFC) and a separate "
                f"character in the other (NFD); rename one, or put their images together"
            )
        if (other := nearly.setdefault(look(name).casefold().strip(), name)) != name:
            note(log.warning, "%s: %r and %r are read as two classes", where, other, name)


def chosen(asked: Sequence[str], names: Sequence[str], where: str) -> tuple[str, ...]:
    """The classes that were asked for, by name, or by number where no class is called so; all if none were.

    Raises:
        UserError: If a class is unknown or named twice.

    Example:
        >>> chosen(["dog", "0"], ("cat", "dog", "eel"), "pets")
        ('dog', 'cat')
    """
    if not asked:
        return tuple(names)
    by_look = {look(name): name for name in names}
    numbers = {str(number): name for number, name in enumerate(names)}
    found = [by_look.get(look(entry)) or numbers.get(entry) for entry in asked]
    for entry, name in zip(asked, found, strict=True):
        if name is None:
            raise _no_class(entry, names, where)
    if len(set(found)) < len(found):
        raise UserError(f"{where}: `classes={','.join(asked)}` names a class twice")
    return tuple(name for name in found if name is not None)


def distinct(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Names with their number where several classes have one, as two kinds of crane do in ImageNet.

    Example:
        >>> distinct(["crane", "eel", "crane"], "birds")
        ('crane (0)', 'eel', 'crane (2)')
    """
    shared = {name for name, times in Counter(names).items() if times > 1}
    if shared:
        note(log.warning, "%s: several classes are called %s; their number is added", where, ", ".join(sorted(shared)[:5]))
    found = tuple(f"{name} ({number})" if name in shared else name for number, name in enumerate(names))
    return found if len(set(found)) == len(found) else tuple(f"{number} {name}" for number, name in enumerate(names))


def some(names: Sequence[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _no_class(entry: str, names: Sequence[str], where: str) -> UserError:
    if len(names) <= 20:
        return unknown(f"class of {where}:", entry, names)
    return UserError(f"unknown class of {where}: '{entry}'; it has {some(names, 10)}")
