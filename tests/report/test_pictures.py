"""Pages that show accuracy over images per class, and the images of sets."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from datastill.engine.policy import Policy
from datastill.experiments import Block, Experiment, Row, run_experiment
from datastill.report.results import write

TABLE = Experiment(
    "A title",
    (Block("digits[0-2]", (1, 2), 9, settings=("real_batch=8",), repeats=1, epochs=1),),
    (Row("random", 50.0, inherits=False, iterations=0), Row("dm", iterations={1: 2, 2: 3})),
    policy=Policy("fp32", compile=False),
    over_ipc=True,
    grids=True,
)


def test_a_page_has_the_pictures_that_its_specification_asks_for(tmp_path: Path) -> None:
    folder = run_experiment(
        "table",
        results=tmp_path / "results",
        runs=tmp_path / "runs",
        only=["ipc=2", "method=dm"],
        recorded=write,
        experiments={"table": TABLE},
    )
    page = (folder / "README.md").read_text()
    assert "![accuracy over images per class](ratios.png)" in page
    with Image.open(folder / "ratios.png") as ratios:
        assert ratios.width > 300
    assert "![digits-0-2-ipc2/dm: a row of images for every class](digits-0-2-ipc2/dm/grid.png)" in page
    assert "digits-0-2-ipc1/dm/grid.png" not in page  # it has not been run
    with Image.open(folder / "digits-0-2-ipc2" / "dm" / "grid.png") as grid:
        assert grid.height > 10
    assert "| `dm` | 2 | " in page


def test_steps_may_differ_by_ipc() -> None:
    cells = {cell.name: cell.iterations for cell in TABLE.cells("table", {})}
    assert cells == {
        "table/digits-0-2-ipc1/random": 0,
        "table/digits-0-2-ipc1/dm": 2,
        "table/digits-0-2-ipc2/random": 0,
        "table/digits-0-2-ipc2/dm": 3,
    }
