"""Every link of a built site: to a page or file that is there, to an anchor that is there, and nothing fetched from elsewhere."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("source", "srcset")}
"""What a browser fetches by itself."""
UNFETCHED = ("canonical", "next", "prev", "edit")
"""What a ``link`` may be that is not fetched."""


class _Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, bool]] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := given.get(key))}
        for key in ("href", "src"):
            if value := given.get(key):
                fetched = (tag, key) in FETCHED and given.get("rel") not in UNFETCHED
                self.links.append((value, fetched))


def broken(site: Path) -> list[str]:
    """What is wrong with the links of a site, a line each.

    Args:
        site: The folder of the built site.
    """
    found = []
    for path in sorted(site.rglob("*.html")):
        for link, fetched in _read(path).links:
            if problem := _problem(link, path, site, fetched):
                found.append(f"{path.relative_to(site)}: {link} {problem}")
    return found


def _problem(link: str, page: Path, site: Path, fetched: bool) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return "is fetched from elsewhere" if fetched and parts.scheme != "data" else ""
    name, fragment = urldefrag(link)
    path = unquote(urlsplit(name).path)
    target = page if not path else (site / path.lstrip("/") if path.startswith("/") else page.parent / path).resolve()
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(site.resolve()):
        return "leads nowhere"
    if fragment and target.suffix == ".html" and unquote(fragment) not in _read(target).anchors:
        return "leads to an anchor that is not there"
    return ""


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page
