from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from commands import TINY_RUN, refusal
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from image_files import write_classes
from tiny_sets import distilled_set


def corrupt(folder: Path) -> Path:
    write_classes(folder, {"cat": 4, "dog": 4})
    (folder / "dog" / "2.png").write_bytes((folder / "dog" / "2.png").read_bytes()[:60])
    return folder


MALICIOUS = (
    b"{data: {name: digits, fingerprint: x}, method: {kind: os.system, command: ls}, ipc: 1, seed: 0, engine: {}, iterations: 1, "
    b"validate_at: {iterations: []}}"
)

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
    "iterations 0": (
        lambda tmp: ("distill", "digits", "--iterations", "0", "--out", tmp / "run"),
        ("--iterations must be a whole number of at least 1, got 0",),
    ),
    "validation list": (lambda tmp: ("distill", "digits", "--validate-at", "1;2", "--out", tmp / "run"), ("--validate-at", "'1;2'")),
    "device": (lambda tmp: ("pretrain", "digits", "--device", "tpux"), ("'tpux'",)),
    "no --out": (lambda tmp: ("distill", "digits"), ("--out",)),
    "option": (lambda tmp: ("distill", "digits", "--methd", "dm", "--out", tmp / "run"), ("--methd", "Did you mean --method?")),
    "number": (lambda tmp: ("distill", "digits", "--ipc", "ten", "--out", tmp / "run"), ("--ipc", '"ten"')),
    "half a number": (lambda tmp: ("distill", "digits", "--ipc", "2.9", "--out", tmp / "run"), ("--ipc", "whole number", '"2.9"')),
    "half a network": (lambda tmp: ("evaluate", tmp, "--repeats", "1.0"), ("--repeats", "whole number", '"1.0"')),
    "a field of a term": (
        lambda tmp: ("distill", "digits", "--method", "dm+cc", "--set", "weight=1", "--out", tmp / "run"),
        ("mm.weight, cc.weight",),
    ),
    "no configuration": (lambda tmp: ("distill", "--config", tmp / "no.yaml", "--out", tmp / "run"), ("no.yaml", "config.yaml of a run")),
    "a configuration that names a module": (
        lambda tmp: ("distill", "--config", written(tmp / "a.yaml", MALICIOUS), "--out", tmp / "run"),
        ("method.kind is 'os.system'", "DistributionMatching"),
    ),
    "a configuration with an object": (
        lambda tmp: ("distill", "--config", written(tmp / "a.yaml", b"!!python/object/apply:os.getcwd []"), "--out", tmp / "run"),
        ("a.yaml cannot be read",),
    ),
    "command": (lambda tmp: ("destill", "digits"), ('"destill"', 'Did you mean "distill"?')),
    "list": (lambda tmp: ("list", "dataset"), ('"dataset"', "datasets")),
    "missing set": (lambda tmp: ("show", tmp / "no"), ("no distilled set at", "/no")),
    "tensor file without data": (lambda tmp: ("evaluate", tensor_file(tmp / "set.pt")), ("set.pt", "--data")),
    "tensor file to show": (lambda tmp: ("show", tensor_file(tmp / "set.pt")), ("set.pt", "--data")),
    "pickle inside": (lambda tmp: ("evaluate", pickled(tmp), "--data", "digits"), ("set.pt is refused", "pickled")),
    "wrong shape": (lambda tmp: ("evaluate", artifact(tmp, torch.zeros(6, 1, 8, 6))), ("images.safetensors", "(6, 1, 8, 6)")),
    "NaN": (lambda tmp: ("show", artifact(tmp, torch.full((6, 3, 8, 6), float("nan")))), ("images.safetensors", "NaN")),
    "unreadable set": (lambda tmp: ("show", written(tmp / "images.safetensors", b"\x80\x04N.")), ("not a safetensors file",)),
    "control characters": (lambda tmp: ("distill", "\x1b[2Jdigits", "--out", tmp / "run"), (r"'\x1b[2Jdigits'",)),
    "columns": (lambda tmp: ("show", distilled_set().save(tmp / "set"), "--columns", "0"), ("got 0",)),
    "format": (lambda tmp: ("export", distilled_set().save(tmp / "set"), tmp / "x", "--format", "foldr"), ("'foldr'", "'folder'")),
    "a file for a folder": (
        lambda tmp: ("export", distilled_set().save(tmp / "set"), tmp / "set" / "grid.png" / "x"),
        ("cannot write", "grid.png is a file, not a folder"),
    ),
    **{
        f"nobody's home for {words[0]}": (
            partial(lambda words, tmp: tuple(distilled_set().save(tmp / word) if word == "set" else word for word in words), words),
            ("the shell found no home folder for ~nosuchuser", "write the folder out"),
        )
        for words in (
            ("distill", "digits", "--method", "random", "--ipc", "1", "--out", "~nosuchuser/x"),
            ("export", "set", "~nosuchuser/x"),
            ("export", "set", "~nosuchuser/x.pt", "--format", "dc"),
            ("evaluate", "set", "--out", "~nosuchuser/x.json"),
            ("show", "set", "--out", "~nosuchuser/x.png"),
            ("experiment", "sets-digits", "--results", "~nosuchuser/x"),
        )
    },
    "existing target": (lambda tmp: ("export", distilled_set().save(tmp / "set"), tmp), ("already exists",)),
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
    good = distilled_set().save(folder / "good")
    _, text = load_tensors(good / "images.safetensors")
    save_tensors(folder / "bad" / "images.safetensors", {"images": pixels, "labels": distilled_set().labels}, text)
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
    folder = tmp_path / "photos"
    write_classes(folder, {"cat": 12, "dog": 5})
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
    command: str, place: str, run: Path, working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (working_folder / "folder").mkdir()
    line = refusal(capsys, command, str(run), "--out", place)
    assert f"--out must be a file, but {place} is a folder: name a file in it" in line
    assert list(working_folder.iterdir()) == [working_folder / "folder"]


def test_a_run_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    line = refusal(capsys, "distill", "digits", *TINY_RUN, "--out", str(tmp_path))
    assert "is not empty and does not hold a run" in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
