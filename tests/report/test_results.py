"""What is published is what the program writes from the kept logs: no number is typed, and none stays from an earlier form of a table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.bench import GROUPS
from benchmarks.page import write_page

from benchmarks import executors_page, exported_page, targets_page
from datastill.experiments import EXPERIMENTS, Cell
from datastill.report import results

RESULTS = Path(__file__).parents[2] / "results"
PUBLISHED = [name for name in EXPERIMENTS if (RESULTS / name / "README.md").exists()]


def same(folder: Path, published: Path) -> bool:
    """Whether the texts of two folders agree; pictures depend on the fonts that are there."""
    names = [path.name for path in published.iterdir() if path.suffix in (".md", ".csv")]
    return all((folder / name).read_text() == (published / name).read_text() for name in names)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_page_is_what_its_logs_say(name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(RESULTS / name, tmp_path / name)
    for page in (*folder.glob("*.md"), *folder.glob("*.csv")):
        page.unlink()
    results.write(name, tmp_path)
    assert same(folder, RESULTS / name)


ELSEWHERE = [
    (name, cell)
    for name in PUBLISHED
    for cell in EXPERIMENTS[name].cells(name, EXPERIMENTS)
    if isinstance(cell, Cell) and cell.run != cell.name and (RESULTS / cell.name / "record.json").exists()
]


@pytest.mark.parametrize("cell", [cell for _, cell in ELSEWHERE], ids=lambda cell: cell.name)
def test_a_row_that_evaluates_the_set_of_another_table_has_that_set(cell: Cell) -> None:
    own, origin = (RESULTS / place / "metrics.jsonl" for place in (cell.name, cell.run))
    if not own.exists() or "checksum" not in own.read_text():
        pytest.skip("its record is from before sets had checksums")
    assert json.loads(own.read_text().splitlines()[-1]) == json.loads(origin.read_text().splitlines()[-1])


@pytest.mark.skipif(not PUBLISHED, reason="no results here")
def test_the_index_names_what_is_there(tmp_path: Path) -> None:
    for path in RESULTS.rglob("README.md"):
        (tmp_path / path.relative_to(RESULTS)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / path.relative_to(RESULTS))
    (tmp_path / "README.md").unlink()
    results.write_index(EXPERIMENTS, tmp_path)
    assert (tmp_path / "README.md").read_text() == (RESULTS / "README.md").read_text()
    assert {path.name for path in RESULTS.iterdir() if path.is_dir()} <= {
        *EXPERIMENTS,
        "benchmarks",
        "executors",
        "exported",
        "faults",
        "targets",
    }


@pytest.mark.parametrize(
    ("name", "write"),
    [(name, page.write_page) for name, page in (("executors", executors_page), ("exported", exported_page), ("targets", targets_page))],
)
def test_a_page_of_a_benchmark_is_what_its_records_say(name: str, write: Callable[[Path], None], tmp_path: Path) -> None:
    if not (RESULTS / name).exists():
        pytest.skip(f"not measured: python -m benchmarks.{name}")
    folder = shutil.copytree(RESULTS / name, tmp_path / name)
    (folder / "README.md").unlink()
    write(folder)
    assert same(folder, RESULTS / name)


@pytest.mark.skipif(not (RESULTS / "benchmarks").exists(), reason="no measurements here")
def test_the_page_of_the_benchmarks_is_what_the_measurements_say(tmp_path: Path) -> None:
    path = RESULTS / "benchmarks" / "measurements.json"
    if missing := set(GROUPS) - set(json.loads(path.read_text())):
        pytest.skip(f"measured before there was {', '.join(sorted(missing))}: make bench")
    shutil.copyfile(path, tmp_path / "measurements.json")
    write_page(tmp_path)
    assert same(tmp_path, RESULTS / "benchmarks")
