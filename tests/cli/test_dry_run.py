"""The commands with --dry-run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from commands import TINY_RUN, refusal
from datastill.cli import main
from datastill.report.forecast import size

LAST = "Nothing was run or written."


def test_a_dry_run_says_what_a_run_takes_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--validate-at", "0,3", "--validation-epochs", "2", "--out", str(tmp_path / "run"))
    main(["distill", "digits", *TINY_RUN, *options, "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dm on digits, IPC 1, 3 iterations"
    assert re.fullmatch(r"  3 steps of \S+ s +\d+s", lines[1])
    assert re.fullmatch(r"  2 x convnet on 10 images, 2 epochs, validation split +\d+s", lines[2])
    assert re.fullmatch(r"time        about \S+ on \S+, measured over a few steps just now", lines[3])
    assert any(re.fullmatch(rf"disk        about \d+ kB in {tmp_path}/run \(.* free\)", line) for line in lines)
    assert lines[-1] == LAST
    assert not (tmp_path / "run").exists()
    assert "validation at iteration 9" in refusal(capsys, "distill", "digits", *TINY_RUN, "--validate-at", "9", *options[4:], "--dry-run")


def test_a_dry_run_of_a_configuration_or_of_what_is_left(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["distill", "--config", str(run / "config.yaml"), "--out", str(tmp_path / "again"), "--dry-run"])
    assert capsys.readouterr().out.splitlines()[0] == "dm on digits, IPC 1, 3 iterations"
    assert not (tmp_path / "again").exists()


def test_only_a_dry_run_needs_no_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for begun in (("digits", *TINY_RUN), ("--config", str(run / "config.yaml"))):
        main(["distill", *begun, "--dry-run"])
        lines = capsys.readouterr().out.splitlines()
        assert any(re.fullmatch(r"disk        about \d+ kB", line) for line in lines)
        assert "Give --out with a folder for the run" in refusal(capsys, "distill", *begun)


def test_a_dry_evaluation_says_how_many_networks_are_trained(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), "--network", "convnet,convnet-bn", "--epochs", "3", "--repeats", "2", "--compare", "random", "--dry-run"])
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0] == "evaluating 10 images of digits"
    assert [line.split("  ")[1] for line in lines[1:3]] == [
        f"4 x {name} on 10 images, 3 epochs, test split" for name in ("convnet", "convnet-bn")
    ]
    assert lines[-1] == LAST


def test_a_dry_experiment_goes_through_its_missing_cells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "mine.yaml"
    table.write_text(
        "title: mine\ndata: digits[0-2]\nipc: 1\nmethods: [random, dm]\nseeds: [0, 1]\niterations: 2\nsettings: {real_batch: 8}\n"
        "protocol: {epochs: 2}\nrepeats: 1\n"
    )
    results, runs = tmp_path / "results", tmp_path / "runs"
    command = ["experiment", str(table), "--results", str(results), "--runs", str(runs)]
    main([*command, "--dry-run"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine: 4 of 4 missing cells can be run"
    assert [line.split()[0] for line in lines[1:5]] == [f"mine/{row}/seed{seed}" for row in ("random", "dm") for seed in (0, 1)]
    assert lines[-1] == LAST
    assert not results.exists()
    assert not runs.exists()
    main([*command, "--only", "random"])
    capsys.readouterr()
    main([*command, "--dry-run"])
    assert capsys.readouterr().out.splitlines()[0] == "mine: 2 of 2 missing cells can be run"


@pytest.mark.parametrize(("number", "written"), [(0, "0 bytes"), (1000, "1.0 kB"), (9949, "9.9 kB"), (999_700, "1.0 MB"), (4e13, "40 TB")])
def test_sizes(number: float, written: str) -> None:
    assert size(number) == written
