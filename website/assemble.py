"""The pages of the site in one folder: those of ``docs``, of the results and of the project, and the notebooks."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urldefrag

from latex2mathml.converter import convert

from website.tables import ROOT

PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the project that stand beside those of ``docs``."""
KINDS = (".md", ".png", ".css", ".csv", ".jsonl", ".yaml", ".json", ".html")
"""What is copied: pages, and what they show or link to."""
FENCE = re.compile(r"^```math\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"\$`([^`]+)`\$")
LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")


def assemble(target: Path, root: Path = ROOT) -> None:
    """Write all pages below a folder, which is emptied before.

    Links between files of the repository become links between pages: ``docs/NAME`` is at the top, everything else where it is in the
    repository. Equations become MathML, which browsers typeset without a program.

    Args:
        target: The folder.
        root: Of the repository.
    """
    shutil.rmtree(target, ignore_errors=True)
    for source, page in pages(root).items():
        place = target / page
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".ipynb":
            place.write_text(typeset(relinked(notebook(source), source, page, root)), encoding="utf-8")
        elif source.suffix == ".md":
            place.write_text(typeset(relinked(source.read_text(encoding="utf-8"), source, page, root)), encoding="utf-8")
        else:
            shutil.copyfile(source, place)


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Where every file of the site comes from: its source, and its place in the site."""
    found = {root / "README.md": "index.md", **{root / name: name for name in PROJECT}}
    docs = root / "docs"
    found |= {path: path.relative_to(docs).as_posix() for path in sorted(docs.rglob("*")) if path.suffix in KINDS}
    found |= {path: path.relative_to(root).as_posix() for path in sorted((root / "results").rglob("*")) if path.suffix in KINDS}
    return found | {path: f"notebooks/{path.stem}.md" for path in sorted((root / "notebooks").glob("*.ipynb"))}


def relinked(text: str, source: Path, page: str, root: Path = ROOT) -> str:
    """A page with its links to files of the repository turned into links to the pages of the site.

    A link to a file that the site does not have becomes its path, as code: a reader of the site has no repository beside it.

    Args:
        text: The page in Markdown.
        source: Its file.
        page: Its place in the site.
        root: Of the repository.
    """
    places = {path.resolve(): place for path, place in pages(root).items()}

    def link(match: re.Match[str]) -> str:
        name, fragment = urldefrag(match[1])
        if not name or "://" in name or name.startswith("mailto:"):
            return match[0]
        target = places.get((source.parent / name).resolve())
        if target is None:
            return match[0]
        path = os.path.relpath(target, Path(page).parent)
        return f"{path}#{fragment}" if fragment else path

    return LINK.sub(link, text)


def typeset(text: str) -> str:
    """A page with its equations, fenced as ``math`` or inline between ``$`` and backticks, as MathML."""
    text = FENCE.sub(lambda match: f'<div class="equation">{_mathml(match[1], "block")}</div>', text)
    return INLINE.sub(lambda match: _mathml(match[1], "inline"), text)


def _mathml(latex: str, display: str) -> str:
    tag = re.search(r"\\tag\{(.+?)\}", latex)
    equation = convert(re.sub(r"\\tag\{.+?\}", "", latex).strip(), display=display)
    return equation + (f'<span class="number">({tag[1]})</span>' if tag else "")


def notebook(path: Path) -> str:
    """A notebook as a page: its text, and its cells as Python blocks."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if kind == "code" else text for kind, text in parts) + "\n"
