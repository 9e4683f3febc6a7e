"""The papers that a method comes from, read from the docstrings of its parts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from datastill.errors import UserError
from datastill.methods.grammar import NAMES
from datastill.terms import BUNDLES
from datastill.terms import NAMES as TERM_NAMES

ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
VENUE = re.compile(r"(?:[A-Z][A-Za-z]+ )?(?:19|20)\d\d(?=, arXiv)")


def references(name: str) -> dict[str, str]:
    """The papers of a method and of the terms added to it.

    Args:
        name: As in `datastill.method`; parts of it that do not exist here have no paper.

    Returns:
        What their docstrings cite, up to the number of the paper, by that number.

    Example:
        >>> list(references("dm+iid")), references("unknown")
        (['2110.04181', '2404.00563'], {})
    """
    base, *extra = name.lower().split("+")
    finders: list[tuple[Callable[[str], object], str]] = [(NAMES.find, base)]
    finders += [(TERM_NAMES.find, term) for short in extra for term in BUNDLES.get(short, (short,))]
    found: dict[str, str] = {}
    for find, part in finders:
        try:
            text = " ".join((inspect.getdoc(find(part)) or "").partition("Reference:")[2].split())
        except UserError:
            continue
        if number := ARXIV.search(text):
            found.setdefault(number[1], text[: number.end()])
    return found


def paper(name: str) -> str:
    """Where and when the paper of a method appeared, and its number; empty for a method without one.

    Args:
        name: As for `references`; terms that are added to it do not count.

    Example:
        >>> paper("mtt"), paper("dd"), paper("random")
        ('CVPR 2022, arXiv:2203.11932', '2018, arXiv:1811.10959', '')
    """
    for number, cited in references(name.partition("+")[0]).items():
        venue = VENUE.search(cited)
        return f"{venue[0] if venue else f'20{number[:2]}'}, arXiv:{number}"
    return ""
