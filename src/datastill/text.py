"""Text for people: numbers with what they count, and text from elsewhere made safe for a terminal or a Markdown page."""

from __future__ import annotations

import re


def counted(number: int, noun: str, several: str = "") -> str:
    """A number and what it counts.

    Args:
        number: How many.
        noun: What one is called.
        several: What several are called; default the noun with an s.

    Example:
        >>> counted(1, "image"), counted(2, "image"), counted(0, "class", "classes")
        ('1 image', '2 images', '0 classes')
    """
    return f"{number} {noun if number == 1 else several or f'{noun}s'}"


def escaped(text: str) -> str:
    r"""Write what cannot be printed as Python does in a string: one line, without control characters or halves of characters.

    Example:
        >>> print(escaped("cat\x1b[2J\n---"))
        cat\x1b[2J\n---
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def code(text: str) -> str:
    r"""Show text in Markdown as it is, as a code span: no markup, HTML, link or line break in it has an effect, in a table neither.

    Example:
        >>> print(code("<b>a|b</b>"), code("a`b\n---"))
        `<b>a\|b</b>` ``a`b\n---``
    """
    shown = escaped(text).replace("|", r"\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    space = " " if not shown.strip() or shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"
