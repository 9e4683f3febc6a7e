"""Rehearsals: the same cells with less of everything, never where the results are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS, Block, Cell, Experiment, Row
from datastill.experiments.privacy.specification import PrivacyExperiment
from datastill.experiments.scale import scaled
from datastill.experiments.search.specification import SearchExperiment

BLOCK = Block("digits[0-2]", (1, 2), 200, seeds=(0, 1, 2), validate_at=(0, 3, 4, 200), validation_epochs=30, repeats=4, epochs=50)
TABLE = Experiment("A title", (BLOCK,), (Row("random", 14.4, inherits=False, iterations=0), Row("dm"), Row("dm", label="x", of="table/dm")))


def rehearsal(experiment: Experiment, factor: float) -> Experiment:
    name, smaller = scaled("table", {"table": experiment}, factor)
    assert name == f"table-scale{factor:g}"
    found = smaller[name]
    assert isinstance(found, Experiment)
    return found


def test_the_budget_shrinks_and_nothing_else() -> None:
    found = rehearsal(TABLE, 0.1)
    assert found.title == "Rehearsal at scale 0.1, not a result: A title"
    (block,) = found.blocks
    expected = replace(BLOCK, iterations=20, seeds=(0,), validate_at=(0, 1, 20), validation_epochs=3, repeats=1, epochs=5)
    assert (block, found.protocol) == (expected, Protocol(epochs=100))
    assert [(row.method, row.paper, row.iterations, row.of) for row in found.rows] == [
        ("random", None, 0, ""), ("dm", None, None, ""), ("dm", None, None, "table-scale0.1/dm"),
    ]  # fmt: skip
    assert rehearsal(TABLE, 0.5).blocks[0].seeds == (0, 1)


def test_a_rehearsal_is_compiled_only_if_that_is_worth_it() -> None:
    for asked, left in ((True, None), (False, False), (None, None)):
        assert rehearsal(replace(TABLE, policy=Policy("fp32", compile=asked)), 0.1).policy == Policy("fp32", compile=left)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_rehearsed(name: str) -> None:
    whole = EXPERIMENTS[name].cells(name, EXPERIMENTS)
    called, smaller = scaled(name, EXPERIMENTS, 0.01)
    cells = smaller[called].cells(called, smaller)
    assert {cell.name.split("/")[0] for cell in cells} == {f"{name}-scale0.01"}
    assert len({cell.name for cell in cells}) == len(cells) <= len(whole)
    for cell in cells:
        if isinstance(cell, Cell):
            assert cell.run.split("/")[0].endswith("-scale0.01")
            assert cell.iterations <= max(1, max(each.iterations for each in whole if isinstance(each, Cell)) / 50)
            assert all(at <= cell.iterations for at in cell.validate_at)


def test_uses_of_sets_are_rehearsed_with_fewer_networks_but_enough_for_the_use() -> None:
    _, smaller = scaled("", EXPERIMENTS, 0.1)
    private, search = smaller["privacy-audit-cifar10-scale0.1"], smaller["architecture-search-cifar10-scale0.1"]
    assert isinstance(private, PrivacyExperiment)
    assert isinstance(search, SearchExperiment)
    assert (private.models, private.pool, private.audit, private.iterations) == (8, 2000, 50, 200)
    assert (search.architectures, search.protocol.epochs) == (72, 20)
    _, smallest = scaled("", EXPERIMENTS, 0.001)
    private, search = smallest["privacy-audit-digits-scale0.001"], smallest["architecture-search-digits-scale0.001"]
    assert isinstance(private, PrivacyExperiment)
    assert isinstance(search, SearchExperiment)
    assert (private.models, private.pool, private.audit, search.architectures) == (8, 500, 20, 8)


@pytest.mark.parametrize("factor", [0, 1, -0.5, 2, float("nan")])
def test_a_scale_is_a_share(factor: float) -> None:
    with pytest.raises(UserError, match="a scale above 0 and below 1"):
        scaled("table", {"table": TABLE}, factor)


def test_the_command_rehearses_beside_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "title: Mine\ndata: digits[0-2]\nmethods: dm\nipc: 1\niterations: 20\nsettings: {real_batch: 8}\nprotocol: {epochs: 10}\n"
    )
    main(["experiment", "mine.yaml", "--scale", "0.1"])
    assert capsys.readouterr().out == "results in results/mine-scale0.1\n"
    assert sorted(path.name for path in Path("results").iterdir()) == ["README.md", "mine-scale0.1"]
    page = Path("results/mine-scale0.1/README.md").read_text()
    assert page.startswith("# Rehearsal at scale 0.1, not a result: Mine\n")
    assert "| `dm` | 1 | " in page
    assert "convnet, 1 epochs" in page
    assert "Mine" not in Path("results/README.md").read_text()  # no rehearsal is among the results
    assert [path.name for path in Path("runs").iterdir() if path.is_dir()] == ["mine-scale0.1"]
    with pytest.raises(SystemExit):
        main(["experiment", "mine.yaml", "--scale", "1"])
    assert "a rehearsal has a scale above 0 and below 1, got --scale 1" in capsys.readouterr().err
