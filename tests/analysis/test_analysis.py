"""Sets in the embedding of a trained network: from Python, by the command and as a figure."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import datastill
from datastill.analysis import Analysis
from datastill.cli import main
from datastill.engine import Engine
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.experiments import EXPERIMENTS
from datastill.experiments.application import SetRow
from datastill.experiments.embeddings.specification import EmbeddingExperiment
from datastill.experiments.privacy.worlds import Worlds
from datastill.teachers.recipe import RECIPES

NETWORK = "convnet-32x2-relu-avgpool-nonorm"
RECIPE = replace(RECIPES["fast"], epochs=1)
DIGITS = "digits[0-2]"


def analysed(method: str = "random", ipc: int = 3, real: int = 20) -> Analysis:
    made = datastill.distill(DIGITS, method=method, ipc=ipc)
    return datastill.analyse(made, network=NETWORK, recipe=RECIPE, real=real, engine=Engine())


def test_an_analysis_repeats_and_says_where_every_image_is() -> None:
    one, other = analysed(), analysed()
    assert one == other
    assert (len(one.real_plane), len(one.synthetic_plane)) == (60, 9)
    assert one.synthetic_labels == (0, 0, 0, 1, 1, 1, 2, 2, 2)
    assert one.real.within > 0
    assert one.covariance_distance is not None
    assert analysed(ipc=1).covariance_distance is None


def test_all_real_images_are_no_distance_from_themselves() -> None:
    data = Worlds(datastill.load(DIGITS), 60, 0, 8, 0).read(0)
    least = min(data.train.counts)
    made = datastill.distill(data, method="random", ipc=least)
    options = {"network": NETWORK, "recipe": RECIPE, "data": data, "engine": Engine()}
    found = datastill.analyse(made, real=10**4, **options)  # type: ignore[arg-type]
    share = 3 * least / len(data.train)
    assert share > 0.7
    assert found.mean_distance < 0.3
    assert found.synthetic.ratio == pytest.approx(found.real.ratio, rel=0.3)


def test_the_command_prints_numbers_and_writes_them_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["distill", DIGITS, "--method", "random", "--ipc", "2", "--out", str(tmp_path / "run")])
    options = ["--network", NETWORK, "--epochs", "1", "--real", "20"]
    numbers, picture = tmp_path / "numbers.json", tmp_path / "picture.png"
    main(["analyse", str(tmp_path / "run"), *options, "--out", str(numbers), "--out", str(picture)])
    assert "scatter within classes" in capsys.readouterr().out
    (entry,) = json.loads(numbers.read_text())
    assert (entry["images"], entry["network"]) == (6, NETWORK)
    assert entry["ratio_real"] == pytest.approx(entry["within_real"] / entry["between_real"])
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "which set?"),
        (["nowhere", "--out", "numbers.txt"], "ends in .json or .png, got numbers.txt"),
        (["nowhere", "--recipe", "none"], "unknown recipe 'none'"),
    ],
)
def test_what_cannot_be_analysed_is_one_line(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["analyse", *options])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_real_images_are_at_least_two() -> None:
    with pytest.raises(UserError, match="`real` must be a whole number of at least 2, got 1"):
        analysed(real=1)


def test_a_figure_has_a_panel_for_every_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = EmbeddingExperiment(
        title="Sets", data=DIGITS, rows=(SetRow("random", iterations=0), SetRow("random", ipc=1, label="one")), iterations=1, ipc=2,
        policy=Policy("fp32", compile=False), network=NETWORK, recipe=RECIPE, real=20,
    )  # fmt: skip
    monkeypatch.setitem(EXPERIMENTS, "sets", figure)
    main(["experiment", "sets", "--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")])
    folder = tmp_path / "results" / "sets"
    with (folder / "table.csv").open() as file:
        two, one = csv.DictReader(file)
    assert (two["set"], two["ipc"], two["images"], one["images"], one["covariance_distance"]) == ("random", "2", "6", "3", "")
    with (folder / "plane.csv").open() as file:
        kinds = [line["kind"] for line in csv.DictReader(file)]
    assert (kinds.count("real"), kinds.count("synthetic")) == (120, 9)
    assert (folder / "plane.png").exists()
