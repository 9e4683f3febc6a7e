"""Ranking architectures: correlations, samples, from Python and by the command."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from scipy.stats import spearmanr

import datastill
from datastill.cli import main
from datastill.engine import Engine
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS
from datastill.experiments.application import SetRow
from datastill.experiments.cell import REAL
from datastill.experiments.scale import scaled
from datastill.experiments.search.ranking import correlation, correlations, sample
from datastill.experiments.search.specification import SearchExperiment
from datastill.networks import grid

TINY = SearchExperiment(
    title="A search",
    data="digits[0-2]",
    rows=(SetRow(REAL, ipc=6), SetRow("random", iterations=0)),
    iterations=1,
    ipc=1,
    protocol=Protocol(epochs=1),
    policy=Policy("fp32", compile=False),
    architectures=5,
    widest=32,
)


def test_correlation_is_that_of_scipy_with_an_interval_around_it() -> None:
    one, other = [1.0, 5.0, 3.0, 4.0, 4.0, 9.0], [2.0, 4.0, 8.0, 5.0, 6.0, 7.0]
    found = correlation(one, other)
    assert found.value == pytest.approx(spearmanr(one, other).statistic)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert -1 < found.low < found.value < found.high < 1
    assert correlation(one, one).value == 1
    assert correlation(one, [-value for value in one]).value == -1
    assert correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]).value is None


def test_the_top_is_that_of_the_real_images() -> None:
    real = {str(number): float(number) for number in range(12)}
    proxy = {name: -value if value < 7 else value for name, value in real.items()}
    found = correlations(proxy, real)
    assert {name: each.count for name, each in found.items()} == {"top 5": 5, "top 10": 10, "all": 12}
    assert found["top 5"].value == 1
    assert found["all"].value == pytest.approx(spearmanr(list(proxy.values()), list(real.values())).statistic)


def test_a_larger_sample_contains_the_smaller() -> None:
    assert sample(30)[:5] == sample(5)
    assert set(sample(720)) == set(grid())
    assert all(name.startswith("convnet-32x") for name in sample(9, 32))
    with pytest.raises(UserError, match="architectures"):
        sample(181, 32)


def test_a_search_from_python_continues_and_refuses(tmp_path: Path) -> None:
    names = ("convnet-32x1-relu-maxpool-nonorm", "convnet-32x1-sigmoid-nopool-batchnorm")
    options = {"methods": ("random",), "ipc": 1, "real": 4, "protocol": Protocol(epochs=1), "engine": Engine()}
    found = datastill.architecture_search("digits[0-2]", architectures=names, out=tmp_path, **options)  # type: ignore[arg-type]
    assert {name: tuple(values) for name, values in found.accuracies.items()} == {REAL: names, "random": names}
    before = (tmp_path / "random.json").read_bytes()
    again = datastill.architecture_search("digits[0-2]", architectures=names, out=tmp_path, **options)  # type: ignore[arg-type]
    assert again.accuracies == found.accuracies
    assert (tmp_path / "random.json").read_bytes() == before
    assert "Spearman" in found._repr_html_()
    with pytest.raises(UserError, match="at least two different architectures, got"):
        datastill.architecture_search("digits", architectures=names[:1], **options)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unknown network 'convnet-9x9'"):
        datastill.architecture_search("digits", architectures=("convnet-9x9", "convnet"), **options)  # type: ignore[arg-type]


def test_the_command_ranks_and_continues(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "search", TINY)
    options = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    main(["experiment", "search", *options, "--only", "method=random"])
    folder = tmp_path / "results" / "search"
    assert (folder / "README.md").read_text().startswith("# A search (1 of 2 cells)\n\nNot run: `real/seed0`.")
    before = (folder / "random" / "seed0" / "record.json").read_bytes()
    main(["experiment", "search", *options])
    assert (folder / "random" / "seed0" / "record.json").read_bytes() == before
    with (folder / "accuracies.csv").open() as file:
        reached = list(csv.DictReader(file))
    by_set = {name: [float(line["accuracy"]) for line in reached if line["set"] == name] for name in (REAL, "random")}
    with (folder / "table.csv").open() as file:
        line = next(line for line in csv.DictReader(file) if line["set"] == "random")
    assert float(line["correlation"]) == pytest.approx(spearmanr(by_set["random"], by_set[REAL]).statistic, abs=2e-3)
    assert (line["architectures"], line["over"], line["images"]) == ("5", "all", "3")
    assert line["commands"] == (
        "datastill experiment search --only random/seed0 --precision fp32 --no-compile --results repeated --runs repeated/runs"
    )
    assert (folder / "ranking.png").exists()
    capsys.readouterr()
    name, smaller = scaled("search", EXPERIMENTS, 0.5)
    assert smaller[name].title == "Rehearsal at scale 0.5, not a result: A search"
