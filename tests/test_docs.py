"""Every snippet of the documentation runs, and every number, page and name that it promises is there."""

from __future__ import annotations

import importlib
import re
import shlex
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from website.assemble import FENCE, notebook, pages, typeset
from website.notebooks import NOTEBOOKS, run

import datastill
from datastill.cli import main
from datastill.cli.commands import app
from datastill.methods.grammar import METHODS
from datastill.terms import TERMS
from website import tables

DOCS = Path(__file__).parent.parent / "docs"
ALL = sorted([*DOCS.rglob("*.md"), DOCS.parent / "README.md"])
PAGES = [page for page in ALL if "```python" in page.read_text()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page: Path, working_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    module = types.ModuleType("page")
    monkeypatch.setitem(__import__("sys").modules, "page", module)
    for block in blocks:
        exec(compile(block, str(page), "exec"), module.__dict__)
    assert len(blocks) >= 1


def commands_of(text: str) -> list[str]:
    """The commands in the blocks of a page, each on one line."""
    blocks = re.findall(r"^```(?:bash)?\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition(" # ")[0].strip() for line in lines if line.startswith("datastill ")]


@pytest.mark.parametrize("page", [page for page in ALL if commands_of(page.read_text())], ids=lambda page: page.name)
def test_every_command_in_a_block_has_only_options_that_there_are(page: Path) -> None:
    for command in commands_of(page.read_text()):
        called, _, ignored = app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
        assert callable(called), command
        assert not ignored, command


def test_the_commands_of_the_first_page_run_as_they_are_written(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (DOCS / "start.md").read_text(), flags=re.DOTALL)
    budgets = {"--iterations": "2", "--epochs": "2", "--real-batch": "8"}
    for block in blocks:
        words = shlex.split(block)[1:]
        main([budgets.get(before, word) for before, word in zip(["", *words], words, strict=False)])
    assert len(blocks) == 4
    assert (working_folder / "runs/first/picture.png").is_file()
    assert (working_folder / "digits-distilled/README.md").is_file()


BUDGETS = {
    "digits": {"iterations": 2, "networks": 2, "epochs": 2},
    "own_images": {"images_per_class": 12, "iterations": 2, "networks": 2, "epochs": 2},
}


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[pytest.mark.long] if path.stem == "own_images" else [], id=path.stem) for path in NOTEBOOKS]
)
def test_a_notebook_runs_from_top_to_bottom_and_is_kept_without_outputs(path: Path, tmp_path: Path) -> None:
    done = run(path, tmp_path, BUDGETS[path.stem])
    outputs = [output for cell in done.cells for output in cell.get("outputs", ())]
    assert any("text/html" in output.get("data", ()) for output in outputs)
    assert '"output_type"' not in path.read_text()
    assert notebook(path).count("```python") == sum(cell.cell_type == "code" for cell in done.cells)


@pytest.mark.parametrize("page", tables.pages(), ids=lambda page: page.name)
def test_the_numbers_in_the_tables_of_a_page_are_those_of_the_results(page: Path) -> None:
    assert page.read_text() == tables.filled(page.read_text(), tables.pages()[page]), "write them again: python -m website tables"


def test_rows_of_one_table_are_measured_in_the_same_way() -> None:
    shared = ("split", "network", "protocol", "epochs", "labels", "train")
    for name, rows in tables.TABLES.items():
        lines = [tables.line(row, tables.ROOT / "results") for row in rows]
        assert len({tuple(line[key] for key in shared) for line in lines}) == 1, name
        assert {line["data"] for line in lines} <= {"cifar10"} or {line["data"] for line in lines} <= {"digits"}, name


def test_every_page_is_in_the_menu_of_the_site() -> None:
    nav = yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text())["nav"]

    def leaves(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [leaf for each in (entry.values() if isinstance(entry, dict) else entry) for leaf in leaves(each)]

    written = {place for place in pages().values() if place.endswith(".md") and not place.startswith("results/")}
    assert set(leaves(nav)) == written | {"results/README.md"}


def test_the_reference_has_every_public_name() -> None:
    named = {
        name for page in (DOCS / "reference").glob("*.md") for name in re.findall(r"^::: (\S+)$", page.read_text(), flags=re.MULTILINE)
    }
    found = []
    for name in named:
        module, _, attribute = name.rpartition(".")
        found.append(getattr(importlib.import_module(module), attribute))
    public = [getattr(datastill, name) for name in datastill.__all__]
    missing = [each for each in (*public, *TERMS.values(), *METHODS.values()) if each not in found]
    assert not missing


def test_every_equation_becomes_mathml() -> None:
    text = (DOCS / "reference" / "equations.md").read_text()
    equations = FENCE.findall(text)
    assert len(equations) >= 12
    assert typeset(text).count('display="block"') == len(equations)
    assert "```math" not in typeset(text)
    assert "$`" not in typeset(text)


PROSE = [*ALL, DOCS.parent / "CONTRIBUTING.md"]
WIDTH = 140


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_no_line_of_a_page_is_too_long_but_the_rows_of_tables(page: Path) -> None:
    lines = enumerate(FENCE.sub("", page.read_text()).splitlines(), 1)
    assert not [number for number, line in lines if len(line) > WIDTH and not line.startswith("|")]


def test_a_term_of_ones_own_takes_less_than_twenty_lines() -> None:
    first = re.findall(r"```python\n(.*?)```", (DOCS / "extend.md").read_text(), flags=re.DOTALL)[0]
    assert "class SquareMatching" in first
    assert len([line for line in first.splitlines() if line.strip()]) < 20
