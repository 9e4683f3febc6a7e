"""A set or an export is there as a whole or not at all, the same bytes every time, and replaces nothing of a user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from datastill.data import DataSet
from datastill.distilled import DistilledSet, export, formats
from datastill.errors import UserError
from datastill.runs.distill import distill
from full_disks import files_of_at_most
from small_methods import small
from tiny_sets import distilled_set, soft_set

FORMATS = pytest.mark.parametrize("format", formats.FORMATS)


def contents(folder: Path) -> dict[str, bytes]:
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@FORMATS
def test_an_export_onto_a_full_disk_leaves_nothing_and_can_be_repeated(tmp_path: Path, format: str) -> None:
    target = tmp_path / "exported"
    with files_of_at_most(60), pytest.raises(UserError, match=f"to write {target}; what was written before is intact"):
        export(distilled_set(), target, format)
    assert list(tmp_path.iterdir()) == []
    export(distilled_set(), target, format)
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


@FORMATS
def test_what_is_there_stays(tmp_path: Path, format: str) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for name in ("link", "folder", "file"):
        with pytest.raises(UserError, match=f"{name} already exists; choose another place or remove it first"):
            export(distilled_set(), tmp_path / name, format)
    assert contents(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("format", ["folder", "parquet"])
def test_a_killed_export_leaves_no_part_under_its_name(tmp_path: Path, format: str) -> None:
    """It is killed before its second file; what it had written is hidden, and removed by the next export to that place."""
    program = f"""
import os, sys
from pathlib import Path
from datastill.distilled import DistilledSet, export
replace, taken = Path.replace, []
def killed(path, target):
    if len(taken) == 1:
        os.kill(os.getpid(), 9)
    taken.append(replace(path, target))
whole = DistilledSet.load(sys.argv[1])
Path.replace = killed
export(whole, sys.argv[2], {format!r})
"""
    source, target = distilled_set().save(tmp_path / "set"), tmp_path / "in" / "exported"
    killed = subprocess.run([sys.executable, "-c", program, str(source), str(target)], check=False, timeout=300)
    assert killed.returncode == -9
    assert not target.exists()
    assert len(list(target.parent.iterdir())) == 1
    export(distilled_set(), target, format)
    assert [path.name for path in target.parent.iterdir()] == ["exported"]


def test_a_set_replaces_an_earlier_set_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "README.md").write_text("mine")
    with pytest.raises(UserError, match="repository holds other files and no distilled set: remove them, or name another folder"):
        distilled_set().save(tmp_path / "repository")
    assert contents(tmp_path / "repository") == {"README.md": b"mine"}
    for seed in (1, 2):
        distilled_set(seed=seed).save(tmp_path / "set")
        (tmp_path / "set" / "notes.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".datastill-0123456789abcdef.partial").write_text("half")
    distilled_set(seed=2).save(tmp_path / "empty")
    found = contents(tmp_path / "set")
    assert found.pop("notes.txt") == b"mine"
    assert found.items() <= contents(tmp_path / "empty").items()


def test_a_set_that_cannot_be_saved_leaves_no_folder(tmp_path: Path) -> None:
    with files_of_at_most(60), pytest.raises(UserError, match=f"to write {tmp_path / 'set'}; what was written before is intact"):
        distilled_set().save(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


@FORMATS
@pytest.mark.parametrize("kind", ["hard", "logits"])
def test_the_same_set_is_exported_as_the_same_bytes(tmp_path: Path, format: str, kind: str) -> None:
    whole = distilled_set() if kind == "hard" else soft_set(kind, learning_rate=0.02)
    for number in range(3):
        export(replace(whole), tmp_path / str(number) / "exported", format)
    first, *others = (contents(tmp_path / str(number) / "exported") for number in range(3))
    assert first
    assert others == [first, first]


def test_two_identical_runs_leave_the_same_bytes(tmp_path: Path, tiny: DataSet) -> None:
    for number in range(2):
        distill(tiny, method=small("dm"), ipc=2, iterations=2, out=tmp_path / str(number))
    one, other = (contents(tmp_path / str(number) / "distilled") for number in range(2))
    assert set(one) > {"images.safetensors", "README.md", "grid.png"}
    assert one == other
    checkpoints = [contents(tmp_path / str(number) / "checkpoint") for number in range(2)]
    assert checkpoints[0] == checkpoints[1]


def test_two_processes_leave_the_same_bytes(tmp_path: Path) -> None:
    """Text is hashed with another seed in every process."""
    for number in range(2):
        command = [sys.executable, "-m", "datastill", "distill", "digits", "--method", "dm", "--ipc", "1", "--iterations", "2"]
        environment = {**os.environ, "PYTHONHASHSEED": str(number)}
        subprocess.run([*command, "--real-batch", "8", "--out", str(tmp_path / str(number))], env=environment, check=True, timeout=300)
    one, other = (contents(tmp_path / str(number) / "distilled") for number in range(2))
    assert json.loads(one["images.safetensors"][8 : 8 + int.from_bytes(one["images.safetensors"][:8], "little")])
    assert one == other
    assert DistilledSet.load(tmp_path / "0").ipc == 1
