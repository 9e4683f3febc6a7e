from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from commands import TINY_RUN, refusal
from datastill.cli import main
from datastill.cli.commands import app
from datastill.configuration import describe
from datastill.data import CATALOGUE
from datastill.distilled import DistilledSet
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.methods import METHODS, kind_of
from datastill.networks import NETWORKS
from datastill.terms import BUNDLES, TERMS

COMMANDS: dict[str, tuple[str, ...]] = {
    "distill": (
        "--method",
        "--ipc",
        "--iterations",
        "--seed",
        "--out",
        "--config",
        "--resume",
        "--set",
        "--preset",
        "--validate-at",
        "--validation-network",
    ),
    "evaluate": (
        "--network",
        "--repeats",
        "--json",
        "--split",
        "--compare",
        "--data",
        "--epochs",
        "--no-augment",
        "--no-learned-rate",
        "--experiment",
        "--labels",
    ),
    "pretrain": ("--network", "--count", "--epochs", "--recipe"),
    "export": ("--format", "TARGET", "--data", "--experiment", "--labels"),
    "show": ("--out", "--columns", "--data"),
    "experiment": ("--results", "--runs", "--only", "--repeats"),
    "list": ("datasets", "networks", "methods", "terms", "experiments"),
}


QUICK = ("--epochs", "1", "--repeats", "1", "--compare", "none")


def test_help_of_every_command_waits_for_no_heavy_import() -> None:
    program = (
        "import sys\nfrom datastill.cli import main\nmain(['--help'])\n"
        f"for name in {list(COMMANDS)}: main([name, '--help'])\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'scipy', 'sklearn', 'matplotlib', 'pyarrow', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_options(command: str, capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]) -> None:
    terminal(200)
    main([command, "--help"])
    text = capsys.readouterr().out
    assert f"datastill {command}" in text
    assert all(option in text for option in COMMANDS[command])


@pytest.mark.parametrize("command", sorted({*app} - {"-h", "--help", "--version"}))
def test_every_argument_and_option_of_every_command_is_described(command: str) -> None:
    arguments = [argument for argument in app[command].assemble_argument_collection() if argument.show]
    assert [argument.name for argument in arguments if not argument.parameter.help] == []
    assert arguments


def test_the_examples_of_the_help_are_whole_lines(capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]) -> None:
    terminal(80)
    main(["--help"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "  datastill distill digits --ipc 2 --iterations 200 --out runs/digits" in lines
    assert "  datastill evaluate runs/digits --repeats 3" in lines


@pytest.mark.parametrize(
    ("what", "names"),
    [("datasets", CATALOGUE), ("networks", NETWORKS), ("terms", {**TERMS, **BUNDLES})],
)
def test_lists_name_all_that_is_registered(what: str, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", what])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names)
    assert all(len(line.split()) > 2 for line in lines)


def test_methods_are_listed_by_kind_with_their_papers(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "methods"])
    printed = capsys.readouterr().out.splitlines()
    head, *listed, costs = printed
    assert "IPC 10" in costs
    kinds = [line for line in listed if not line.startswith(" ")]
    assert len(kinds) == len(set(kinds)) > 5
    lines = {line.split()[0]: line for line in listed if line.startswith(" ")}
    assert list(lines) == list(METHODS)
    for name in lines:
        above = printed[: printed.index(lines[name])]
        assert [line for line in above if line in kinds][-1] == kind_of(name)
    assert "  CVPR 2023, arXiv:2211.11004  " in lines["ftd"]
    assert "  2020, arXiv:2006.08572  " in lines["ld"]
    assert "arXiv" not in lines["random"]
    ends = {line.index((METHODS[name].__doc__ or "").splitlines()[0]) for name, line in lines.items()}
    assert ends == {head.index("what it does")}  # in columns


def test_the_experiments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "experiments"])
    assert capsys.readouterr().out.startswith("components-cifar10-ipc10  ")


def test_distill_leaves_a_run(run: Path) -> None:
    content = DistilledSet.load(run)
    assert (len(content), content.ipc, content.images.shape[1:]) == (10, 1, (1, 8, 8))
    assert (content.origin.data, content.origin.method, content.origin.seed, content.origin.iterations) == ("digits", "dm", 4, 3)
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [entry["iteration"] for entry in metrics if "loss" in entry] == [1, 2, 3]
    assert [entry["iteration"] for entry in metrics if "validation_accuracy" in entry] == [0, 3]


def test_show_says_what_a_run_is(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "distilled" / "grid.png").unlink()
    main(["show", str(run)])
    facts = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(facts) == ["images", "data", "method", "values", "classes", "terms", "loss", "validation", "picture"]
    assert "10 of 8x8 pixels, 1 channel, 10 classes, 1 per class" in facts["images"]
    assert "digits (fingerprint " in facts["data"]
    assert "dm, 3 iterations, seed 4" in facts["method"]
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in facts["classes"]
    assert "mm weight=1.0" in facts["terms"]
    assert "% after 0" in facts["validation"]
    assert "% after 3" in facts["validation"]
    assert facts["picture"].endswith(str(run / "distilled" / "grid.png"))
    with Image.open(run / "distilled" / "grid.png") as picture:
        assert picture.format == "PNG"
    main(["show", str(run / "distilled" / "images.safetensors"), "--out", str(tmp_path / "picture.png")])
    assert "loss" not in capsys.readouterr().out
    assert (tmp_path / "picture.png").exists()


def test_evaluate_prints_json_and_nothing_else(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), "--json", "--epochs", "2", "--repeats", "2", "--seed", "3", "--out", str(tmp_path / "score.json")])
    result = json.loads(capsys.readouterr().out)
    assert {key: value for key, value in json.loads((tmp_path / "score.json").read_text()).items() if key != "checksum"} == result
    assert (result["data"], result["split"], result["seed"], result["n"]) == ("digits", "test", 3, 2)
    assert (result["protocol"]["network"], result["protocol"]["epochs"], result["protocol"]["augment"]) == ("convnet", 2, True)
    assert result["accuracy"] == pytest.approx(sum(result["accuracies"]) / 2)
    assert len(result["per_class"]) == len(result["confusion"]) == len(result["class_names"]) == 10
    assert set(result["comparisons"]) == {"rendering", "random"}
    assert result["interval95"] is None  # of two values


def test_evaluate_prints_tables(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), *QUICK, "--no-augment", "--split", "validation"])
    text = capsys.readouterr().out
    assert "digits, validation split, DC protocol: 1 x convnet, 1 epochs" in " ".join(text.split())  # the title of a narrow table is broken
    assert "the distilled set" in text
    assert "confusion" in text


KINDS = ("--network", "convnet,vgg11", *QUICK)


def test_evaluate_of_two_kinds_of_network_has_what_each_has_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), *KINDS, "--json", "--out", str(tmp_path / "score.json")])
    result = json.loads(capsys.readouterr().out)
    assert {key: value for key, value in json.loads((tmp_path / "score.json").read_text()).items() if key != "checksum"} == result
    assert [path.name for path in tmp_path.iterdir()] == ["score.json"]
    assert list(result) == ["networks"]
    assert list(result["networks"]) == ["convnet", "vgg11"]
    for name, found in result["networks"].items():
        main(["evaluate", str(run), *QUICK, "--network", name, "--json"])
        assert json.loads(capsys.readouterr().out) == found
        assert found["protocol"]["network"] == name


def test_evaluate_of_two_kinds_of_network_prints_one_table(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), *KINDS])
    text = capsys.readouterr().out
    assert "digits, test split, DC protocol: 1 networks of each kind, 1 epochs" in " ".join(text.split())
    assert [line.split()[1] for line in text.splitlines() if line.startswith("│")] == ["convnet", "vgg11"]


@pytest.mark.parametrize(
    ("asked", "networks"),
    [
        ("all", "convnet alexnet vgg11 resnet18"),
        ("all,convnet-bn", "convnet alexnet vgg11 resnet18 convnet-bn"),
        (" convnet-bn , all", "convnet-bn convnet alexnet vgg11 resnet18"),
        ("convnet, vgg11", "convnet vgg11"),
    ],
)
def test_all_networks_are_the_papers_four_and_blanks_do_not_matter(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], asked: str, networks: str
) -> None:
    def seen(path: Path, networks: list[str], protocol: Protocol, **options: object) -> None:
        raise UserError(f"asked for {' '.join(networks)}, first {protocol.network}")

    monkeypatch.setattr(sys.modules["datastill.evaluation.evaluate"], "evaluate_across", seen)
    line = refusal(capsys, "evaluate", str(run), "--network", asked)
    assert line == f"datastill: asked for {networks}, first {networks.split()[0]}"


@pytest.mark.parametrize("format", ["folder", "dc", "parquet"])
def test_export_writes_what_is_read_again(run: Path, format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / ("set.pt" if format == "dc" else "set")
    main(["export", str(run), str(target), "--format", format])
    assert capsys.readouterr().out == f"wrote {target}\n"
    if format == "folder":
        assert len(list(target.glob("*/*.png"))) == 10
    if format == "dc":
        main(["evaluate", str(target), "--data", "digits", "--json", *QUICK])
        from_file = json.loads(capsys.readouterr().out)
        main(["evaluate", str(run), "--json", *QUICK])
        of_the_run = json.loads(capsys.readouterr().out)
        assert (from_file.pop("made"), of_the_run.pop("made")) == ({}, {"method": "dm", "iterations": 3, "seed": 4})
        assert of_the_run == from_file
    if format == "parquet":
        assert torch.equal(DistilledSet.load(target).images, DistilledSet.load(run).images)


def test_a_run_is_validated_with_the_network_that_is_asked_for(tmp_path: Path) -> None:
    accuracies = {}
    for network in ("convnet", "vgg11"):
        options = ("--validate-at", "3", "--validation-epochs", "2", "--validation-network", network)
        main(["distill", "digits", *TINY_RUN, *options, "--out", str(tmp_path / network)])
        config = yaml.safe_load((tmp_path / network / "config.yaml").read_text())
        assert config["validate_at"] == {"iterations": [3], **describe(Protocol(network, epochs=2))}
        (found,) = [
            json.loads(line)["validation_accuracy"]
            for line in (tmp_path / network / "metrics.jsonl").read_text().splitlines()
            if "validation_accuracy" in line
        ]
        accuracies[network] = found
    assert accuracies["convnet"] != accuracies["vgg11"]


def test_several_numbers_of_a_setting_are_kept_in_the_configuration(tmp_path: Path) -> None:
    run = ("--ipc", "1", "--iterations", "1", "--real-batch", "8")
    main(["distill", "digits", "--method", "m3d", *run, "--set", "halve_at=5,10", "--set", "km.scales=0.5,1", "--out", str(tmp_path)])
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config["method"]["halve_at"] == [5, 10]
    assert config["method"]["terms"]["km"]["scales"] == [0.5, 1.0]
    resumed = ("--set", "halve_at=5,10", "--set", "km.scales=0.5,1", "--out", str(tmp_path), "--resume")
    main(["distill", "digits", "--method", "m3d", *run, *resumed])  # and is recognised


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    main(["distill", "digits", *TINY_RUN, "--out", str(once)])
    shorter = ["distill", "digits", "--method", "dm", "--ipc", "1", "--real-batch", "8", "--iterations"]
    main([*shorter, "2", "--out", str(twice)])
    main([*shorter, "3", "--out", str(twice), "--resume"])
    assert torch.equal(DistilledSet.load(once).images, DistilledSet.load(twice).images)


def test_a_run_is_repeated_from_its_configuration(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["distill", "--config", str(run / "config.yaml"), "--out", str(tmp_path / "again"), "--ipc", "1", "--method", "DM"])
    assert torch.equal(DistilledSet.load(tmp_path / "again").images, DistilledSet.load(run).images)
    before, after = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (run, tmp_path / "again"))
    assert {**before, "made_by": None} == {**after, "made_by": None}
    capsys.readouterr()
    for options, said in (
        (("--ipc", "3"), "--ipc contradicts"),
        (("--seed", "0"), "--seed contradicts"),
        (("--method", "dm+cm"), "--method contradicts"),
        (("--set", "real_batch=8"), "--set contradicts"),
        (("--preset", "fast"), "--preset contradicts"),
        (("--validate-at", "3"), "--validate-at contradicts"),
        (("--validation-network", "vgg11"), "--validation-network contradicts"),
        (("--validation", "0.2"), "--validation contradicts"),
        (("--precision", "bf16"), "--precision contradicts"),
        (("--compile",), "--compile contradicts"),
    ):
        line = refusal(capsys, "distill", "--config", str(run), "--out", str(tmp_path / "other"), *options)
        assert said in line
        assert "leave it out, or change a copy of the file" in line
    assert "the data set contradicts" in refusal(capsys, "distill", "mnist", "--config", str(run), "--out", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
