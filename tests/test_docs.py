"""Every Python block of the documentation runs, page by page, in the order a reader meets them."""

from __future__ import annotations

import re
import types
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(page for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"] if "```python" in page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page: Path, working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    module = types.ModuleType("page")
    monkeypatch.setitem(__import__("sys").modules, "page", module)
    for block in blocks:
        exec(compile(block, str(page), "exec"), module.__dict__)
    assert len(blocks) >= 1


PROSE = [*DOCS.glob("*.md"), *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md"))]
WIDTH = 140


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_no_line_of_a_page_is_too_long_but_the_rows_of_tables(page: Path) -> None:
    lines = enumerate(page.read_text().splitlines(), 1)
    assert not [number for number, line in lines if len(line) > WIDTH and not line.startswith("|")]


def test_a_term_of_ones_own_takes_less_than_twenty_lines() -> None:
    first = re.findall(r"```python\n(.*?)```", (DOCS / "extend.md").read_text(), flags=re.DOTALL)[0]
    assert "class SquareMatching" in first
    assert len([line for line in first.splitlines() if line.strip()]) < 20
