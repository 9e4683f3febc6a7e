"""Templates, and the rules of a page: it fetches nothing, and no text in it is ever executed."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from jinja2.loaders import FunctionLoader
from markupsafe import Markup

TEMPLATES = files("datastill.report.page") / "templates"


def render(template: str, scripts: tuple[str, ...], **content: Any) -> str:
    """Fill a template: its style and its scripts stand in it, and a content security policy allows nothing else.

    Args:
        template: A file of `TEMPLATES`.
        scripts: What it runs, in order: "d3" or files of `TEMPLATES`.
        content: Its values; text in them is escaped.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, loader=FunctionLoader(_text), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shown": shown, "shown_lines": lambda text: "\n".join(map(shown, text.splitlines()))}
    style = environment.get_template("page.css").render(**content)
    sources = [_d3() if name == "d3" else _text(name) for name in scripts]
    allowed = " ".join(map(_hash, sources)) or "'none'"
    policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {allowed}; base-uri 'none'; form-action 'none'"
    html = environment.get_template(template).render(
        **content, style=Markup(style), scripts=[Markup(source) for source in sources], policy=Markup(policy)
    )
    return html.encode(errors="backslashreplace").decode()


def shown(text: str) -> str:
    r"""Text of others as it is, but for characters that change how others around them are shown, or are none.

    Example:
        >>> shown("a\u202eb"), shown("👩\u200d🚀")
        ('a\\u202eb', '👩\u200d🚀')
    """
    return "".join(
        letter if letter.isprintable() or letter == "\u200d" else letter.encode("unicode_escape", errors="surrogatepass").decode()
        for letter in text
    )


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _d3() -> str:
    """The chart library D3, as mpld3 ships it."""
    from mpld3.urls import D3_LOCAL

    return Path(D3_LOCAL).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    """What a content security policy calls a script or a style that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
