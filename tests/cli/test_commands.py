from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from datastill.cli import main
from datastill.data import CATALOGUE
from datastill.distilled import DistilledSet
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.methods import METHODS
from datastill.networks import NETWORKS
from datastill.terms import BUNDLES, TERMS
from tiny_sets import distilled_set

COMMANDS: dict[str, tuple[str, ...]] = {
    "distill": (
        "--method",
        "--ipc",
        "--iterations",
        "--seed",
        "--out",
        "--resume",
        "--set",
        "--preset",
        "--validate-at",
        "--validation-network",
    ),
    "evaluate": ("--network", "--repeats", "--json", "--split", "--compare", "--data", "--epochs", "--no-augment"),
    "pretrain": ("--network", "--count", "--epochs", "--recipe"),
    "export": ("--format", "TARGET"),
    "show": ("--out", "--columns"),
    "experiment": ("--results", "--runs", "--only", "--repeats"),
    "list": ("datasets", "networks", "methods", "terms", "experiments"),
}
TINY_RUN = ("--method", "dm", "--ipc", "1", "--iterations", "3", "--real-batch", "8")
QUICK = ("--epochs", "1", "--repeats", "1", "--compare", "none")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail as a user's mistake, and return its one line."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    lines = printed.err.splitlines()
    assert [line.startswith("datastill: ") for line in lines] == [True], printed.err
    return lines[0]


# Help and lists.


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
def test_every_command_explains_its_options(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    main([command, "--help"])
    text = capsys.readouterr().out
    assert f"datastill {command}" in text
    assert all(option in text for option in COMMANDS[command])


def test_the_examples_of_the_help_are_whole_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main(["--help"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "  datastill distill digits --ipc 2 --iterations 200 --out runs/digits" in lines
    assert "  datastill evaluate runs/digits --repeats 3" in lines


@pytest.mark.parametrize(
    ("what", "names"),
    [("datasets", CATALOGUE), ("networks", NETWORKS), ("methods", METHODS), ("terms", {**TERMS, **BUNDLES})],
)
def test_lists_name_all_that_is_registered(what: str, names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", what])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(names)
    assert all(len(line.split()) > 2 for line in lines)


def test_the_experiments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list", "experiments"])
    assert capsys.readouterr().out.startswith("components-cifar10-ipc10  ")


# Mistakes.


def images(folder: Path, counts: dict[str, int]) -> Path:
    generator = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")
    return folder


def corrupt(folder: Path) -> Path:
    images(folder, {"cat": 4, "dog": 4})
    (folder / "dog" / "2.png").write_bytes((folder / "dog" / "2.png").read_bytes()[:60])
    return folder


MISTAKES: dict[str, tuple[Callable[[Path], tuple[object, ...]], tuple[str, ...]]] = {
    "data set": (lambda tmp: ("distill", "cifr10", "--out", tmp / "run"), ("'cifr10'", "Did you mean 'cifar10'?")),
    "method": (lambda tmp: ("distill", "digits", "--method", "dmm", "--out", tmp / "run"), ("'dmm'", "Did you mean 'dm'?")),
    "term": (lambda tmp: ("distill", "digits", "--method", "dm+iidd", "--out", tmp / "run"), ("'iidd'", "Did you mean 'iid'?")),
    "setting": (lambda tmp: ("distill", "digits", "--set", "cc.weigth=1", "--out", tmp / "run"), ("'weigth'", "'weight'")),
    "setting's value": (lambda tmp: ("distill", "digits", "--set", "cc.weight=much", "--out", tmp / "run"), ("cc.weight", "'much'")),
    "preset": (lambda tmp: ("distill", "digits", "--preset", "papper", "--out", tmp / "run"), ("'papper'", "'paper'")),
    "network": (lambda tmp: ("evaluate", tmp, "--network", "convnt"), ("'convnt'", "Did you mean 'convnet'?")),
    "one of two networks": (lambda tmp: ("evaluate", tmp, "--network", "convnet,vgg1"), ("'vgg1'", "Did you mean 'vgg11'?")),
    "a network twice": (lambda tmp: ("evaluate", tmp, "--network", "vgg11,vgg11"), ("different networks", "'vgg11,vgg11'")),
    "no network": (lambda tmp: ("evaluate", tmp, "--network", ","), ("unknown network ''",)),
    "blanks for a network": (lambda tmp: ("evaluate", tmp, "--network", "convnet, vgg1"), ("'vgg1'", "Did you mean 'vgg11'?")),
    "a network of all twice": (lambda tmp: ("evaluate", tmp, "--network", "all,convnet"), ("different networks",)),
    "network to validate with": (
        lambda tmp: ("distill", "digits", "--validate-at", "1", "--validation-network", "vgg", "--out", tmp / "run"),
        ("'vgg'", "Did you mean 'vgg11'?"),
    ),
    "one real image for a kernel": (
        lambda tmp: ("distill", "digits", "--method", "m3d", "--real-batch", "1", "--out", tmp / "run"),
        ("'km'", "at least 2 real images", "the real batch is 1"),
    ),
    "a term between classes, class by class": (
        lambda tmp: ("distill", "digits", "--method", "idm+dl", "--out", tmp / "run"),
        ("'dl'", "leave out +dl", "--set by_class=false"),
    ),
    "views of what is not augmented": (
        lambda tmp: ("distill", "digits", "--method", "cafe", "--set", "views=2", "--out", tmp / "run"),
        ("2 views", "--set augment=true"),
    ),
    "a list of numbers": (
        lambda tmp: ("distill", "digits", "--method", "dm", "--set", "halve_at=5;10", "--out", tmp / "run"),
        ("dm.halve_at", "separated by commas", "'5;10'"),
    ),
    "too many parts": (
        lambda tmp: ("distill", "digits", "--method", "idm", "--iterations", "1", "--set", "factor=3", "--out", tmp / "run"),
        ("8x8", "3x3 parts", "at most 2"),
    ),
    "cross-entropy of untrained networks": (
        lambda tmp: ("distill", "digits", "--method", "dm+ce", "--out", tmp / "run"),
        ("'ce'", "never trained", "leave out +ce", "idm"),
    ),
    "network to pretrain": (lambda tmp: ("pretrain", "digits", "--network", "resnet"), ("'resnet'", "Did you mean 'resnet18'?")),
    "experiment": (lambda tmp: ("experiment", "components"), ("unknown experiment 'components'",)),
    "missing folder": (lambda tmp: ("distill", f"folder:{tmp / 'no'}", "--out", tmp / "run"), ("no: no such folder",)),
    "empty folder": (lambda tmp: ("distill", f"folder:{tmp}", "--out", tmp / "run"), ("holds no class folders",)),
    "corrupt image": (lambda tmp: ("distill", f"folder:{corrupt(tmp / 'x')}", "--out", tmp / "run"), ("dog/2.png", "cannot be read")),
    "iterations 0": (lambda tmp: ("distill", "digits", "--iterations", "0", "--out", tmp / "run"), ("got 10 and 0",)),
    "validation list": (lambda tmp: ("distill", "digits", "--validate-at", "1;2", "--out", tmp / "run"), ("--validate-at", "'1;2'")),
    "device": (lambda tmp: ("pretrain", "digits", "--device", "tpux"), ("'tpux'",)),
    "no --out": (lambda tmp: ("distill", "digits"), ("--out",)),
    "option": (lambda tmp: ("distill", "digits", "--methd", "dm", "--out", tmp / "run"), ("--methd", "Did you mean --method?")),
    "number": (lambda tmp: ("distill", "digits", "--ipc", "ten", "--out", tmp / "run"), ("--ipc", '"ten"')),
    "command": (lambda tmp: ("destill", "digits"), ('"destill"', 'Did you mean "distill"?')),
    "list": (lambda tmp: ("list", "dataset"), ('"dataset"', "datasets")),
    "missing set": (lambda tmp: ("show", tmp / "no"), ("no distilled set at", "/no")),
    "tensor file without data": (lambda tmp: ("evaluate", tensor_file(tmp / "set.pt")), ("set.pt", "--data")),
    "tensor file to show": (lambda tmp: ("show", tensor_file(tmp / "set.pt")), ("set.pt", "--data")),
    "pickle inside": (lambda tmp: ("evaluate", pickled(tmp), "--data", "digits"), ("set.pt is refused", "pickled")),
    "wrong shape": (lambda tmp: ("evaluate", artifact(tmp, torch.zeros(6, 1, 8, 6))), ("images.safetensors", "(6, 1, 8, 6)")),
    "NaN": (lambda tmp: ("show", artifact(tmp, torch.full((6, 3, 8, 6), float("nan")))), ("images.safetensors", "NaN")),
    "unreadable set": (lambda tmp: ("show", written(tmp / "images.safetensors", b"\x80\x04N.")), ("no safetensors file",)),
    "control characters": (lambda tmp: ("distill", "\x1b[2Jdigits", "--out", tmp / "run"), ("'?[2Jdigits'",)),
    "columns": (lambda tmp: ("show", distilled_set().save(tmp / "set"), "--columns", "0"), ("got 0",)),
    "format": (lambda tmp: ("export", distilled_set().save(tmp / "set"), tmp / "x", "--format", "foldr"), ("'foldr'", "'folder'")),
    "existing target": (lambda tmp: ("export", distilled_set().save(tmp / "set"), tmp), ("exists already",)),
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def tensor_file(path: Path, **others: object) -> Path:
    content = distilled_set()
    torch.save({"data": [[content.images, content.labels]], **others}, path)
    return path


def pickled(folder: Path) -> Path:
    return tensor_file(folder / "set.pt", more=UserError("an object"))


def artifact(folder: Path, pixels: torch.Tensor) -> Path:
    from safetensors import safe_open
    from safetensors.torch import save_file

    good = distilled_set().save(folder / "good")
    with safe_open(good / "images.safetensors", "pt") as file:
        metadata = {key: value for key, value in file.metadata().items() if key != "checksum"}
    (folder / "bad").mkdir()
    save_file({"images": pixels, "labels": distilled_set().labels}, folder / "bad" / "images.safetensors", metadata)
    return folder / "bad"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_answered_with_one_line_that_names_it(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected = MISTAKES[name][0](tmp_path), MISTAKES[name][1]
    line = refusal(capsys, *map(str, arguments))
    assert all(part in line for part in expected), line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["dm+cc", "dm+cm", "dm+iid"])
def test_constraints_at_one_image_per_class_are_refused(method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(capsys, "distill", "digits", "--method", method, "--ipc", "1", "--out", str(tmp_path / "run"))
    assert "needs at least 2 images per class, but IPC is 1" in line
    assert not (tmp_path / "run").exists()


def test_a_class_with_fewer_images_than_ipc_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = images(tmp_path / "photos", {"cat": 12, "dog": 5})
    line = refusal(capsys, "distill", f"folder:{folder}", "--method", "dm", "--ipc", "4", "--out", str(tmp_path / "run"))
    # of 5 images one is the test's, one the validation's
    assert "the class 'dog' has 3 training images, fewer than IPC 4" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read and write everything")
def test_folders_without_permission_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    assert "locked" in refusal(capsys, "distill", f"folder:{locked}", "--out", str(tmp_path / "run"))
    assert "locked" in refusal(capsys, "distill", "digits", "--method", "dm", "--out", str(locked / "run"))


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_an_output_that_is_or_lies_in_a_file_is_named(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("precious")
    line = refusal(capsys, "distill", "digits", *TINY_RUN, "--out", str(tmp_path / place))
    assert str(tmp_path / "file") in line
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("command", ["evaluate", "show"])
@pytest.mark.parametrize("place", [".", "..", "folder"])
def test_a_folder_is_no_file_to_write_to_and_said_before_the_work(
    command: str, place: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    line = refusal(capsys, command, str(run), "--out", place)
    assert f"--out takes the name of a file, but {place} is a folder: give a name in it" in line
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_a_run_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    line = refusal(capsys, "distill", "digits", *TINY_RUN, "--out", str(tmp_path))
    assert "is not empty and holds no run" in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    distilled_set().save(tmp_path / "set")
    monkeypatch.setattr(os, "fsync", full)
    for arguments in (
        ("distill", "digits", *TINY_RUN, "--out", str(tmp_path / "run")),
        ("export", str(tmp_path / "set"), str(tmp_path / "exported"), "--format", "dc"),
    ):
        line = refusal(capsys, *arguments)
        assert f"no space left on the disk to write {tmp_path}" in line
        assert "free some space" in line
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b"), "No space left on device: /a/b; free some space"),
        (OSError(errno.EIO, "Input/output error", "/a/b"), "Input/output error: /a/b"),
        (OSError("cannot open\nthe library"), "cannot open the library"),
    ],
)
def test_an_error_of_the_system_is_one_line(
    error: OSError, line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> DistilledSet:
        raise error

    monkeypatch.setattr(DistilledSet, "load", fail)
    assert refusal(capsys, "show", "somewhere").startswith(f"datastill: {line}")


def test_ctrl_c_says_how_to_go_on(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(path: Path) -> DistilledSet:
        raise KeyboardInterrupt

    monkeypatch.setattr(DistilledSet, "load", stop)
    with pytest.raises(SystemExit) as stopped:
        main(["show", "somewhere"])
    assert stopped.value.code == 130
    assert "--resume" in capsys.readouterr().err


LIST = "from datastill.cli import main; main(['list', 'networks'])"


@pytest.mark.skipif(os.name == "nt", reason="no such pipes")
@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_reader_that_has_gone_ends_the_command_in_silence(buffering: str) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PYTHONUNBUFFERED": buffering}
    done = subprocess.run([sys.executable, "-c", LIST], stdout=write, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_is_full_is_one_line() -> None:
    with Path("/dev/full").open("w") as output:
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}
        done = subprocess.run([sys.executable, "-c", LIST], stdout=output, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("datastill: No space left on device")
    assert len(done.stderr.splitlines()) == 1


# A whole way.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    main(["distill", "digits", *TINY_RUN, "--validate-at", "0,3", "--validation-epochs", "1", "--seed", "4", "--out", str(folder)])
    return folder


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
    assert "10 of 8x8 pixels, 1 channel(s), 10 classes, 1 per class" in facts["images"]
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
    assert json.loads((tmp_path / "score.json").read_text()) == result
    assert (result["data"], result["split"], result["seed"], result["n"]) == ("digits", "test", 3, 2)
    assert (result["protocol"]["network"], result["protocol"]["epochs"], result["protocol"]["augment"]) == ("convnet", 2, True)
    assert result["accuracy"] == pytest.approx(sum(result["accuracies"]) / 2)
    assert len(result["per_class"]) == len(result["confusion"]) == len(result["class_names"]) == 10
    assert set(result["comparisons"]) == {"rendering", "random"}
    assert result["interval95"] > 0


def test_evaluate_prints_tables(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), *QUICK, "--no-augment", "--split", "validation"])
    text = capsys.readouterr().out
    assert "digits, validation split: 1 x convnet, 1 epochs" in text
    assert "the distilled set" in text
    assert "confusion" in text


KINDS = ("--network", "convnet,vgg11", *QUICK)


def test_evaluate_of_two_kinds_of_network_has_what_each_has_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["evaluate", str(run), *KINDS, "--json", "--out", str(tmp_path / "score.json")])
    result = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "score.json").read_text()) == result
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
    assert "digits, test split: 1 networks of each kind, 1 epochs" in " ".join(text.split())
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
        assert json.loads(capsys.readouterr().out) == from_file
    if format == "parquet":
        assert torch.equal(DistilledSet.load(target).images, DistilledSet.load(run).images)


def test_a_run_is_validated_with_the_network_that_is_asked_for(tmp_path: Path) -> None:
    accuracies = {}
    for network in ("convnet", "vgg11"):
        options = ("--validate-at", "3", "--validation-epochs", "2", "--validation-network", network)
        main(["distill", "digits", *TINY_RUN, *options, "--out", str(tmp_path / network)])
        config = yaml.safe_load((tmp_path / network / "config.yaml").read_text())
        assert config["validate_at"] == {"iterations": [3], "network": network, "epochs": 2}
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
