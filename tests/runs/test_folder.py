from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datastill.configuration import flat
from datastill.errors import UserError
from datastill.files import load_tensors
from datastill.runs import Run
from datastill.runs.configuration import plain
from datastill.runs.folder import KEPT
from full_disks import files_of_at_most

CONFIG: dict[str, Any] = {
    "data": {"name": "tiny", "mean": [0.3, 0.4]},
    "method": {"name": "dm", "real_batch": 256},
    "ipc": 2,
    "seed": 0,
    "iterations": 40,
    "validate_at": {"iterations": [0]},
    "made_by": {"commit": "abc"},
}


def changed(**changes: Any) -> Mapping[str, Any]:
    return {**CONFIG, **changes}


def begun(folder: Path, checkpoints: tuple[int, ...] = (), metrics: int = 0) -> Run:
    """A run's folder after some iterations, closed."""
    run = Run(folder)
    run.begin(CONFIG, resume=False)
    for iteration in range(1, metrics + 1):
        run.record({"iteration": iteration, "loss": 1 / iteration})
    for iteration in checkpoints:
        run.checkpoint(iteration, {"pixels": torch.full((2, 3), float(iteration))})
    run.close()
    return Run(folder)


def iterations(run: Run) -> list[int]:
    return [entry["iteration"] for entry in run.metrics()]


def kept(run: Run) -> list[str]:
    return sorted(path.name for path in (run.folder / "checkpoint").iterdir())


def test_a_new_run_writes_its_configuration(tmp_path: Path) -> None:
    run = Run(tmp_path / "a" / "run")
    assert run.config() is None
    assert run.begin(CONFIG, resume=False) == (0, {})
    written = yaml.safe_load((tmp_path / "a" / "run" / "config.yaml").read_text())
    assert list(written) == [*CONFIG, "checksum"]
    assert {key: value for key, value in written.items() if key != "checksum"} == CONFIG
    assert run.config() == CONFIG
    assert run.metrics() == []


def test_resume_without_a_run_begins_one(tmp_path: Path) -> None:
    assert Run(tmp_path / "run").begin(CONFIG, resume=True) == (0, {})


def test_the_newest_checkpoint_is_gone_on_from_and_later_metrics_are_cut_off(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(10, 20), metrics=25)
    iteration, state = run.begin(CONFIG, resume=True)
    assert iteration == 20
    assert torch.equal(state["pixels"], torch.full((2, 3), 20.0))
    assert iterations(run) == list(range(1, 21))
    run.record({"iteration": 21, "loss": 0.5})
    run.close()
    assert iterations(run) == list(range(1, 22))


def test_metrics_before_any_checkpoint_are_those_of_iteration_zero(tmp_path: Path) -> None:
    run = begun(tmp_path, metrics=3)
    run.record({"iteration": 0, "validation_accuracy": 10.0})
    run.close()
    assert run.begin(CONFIG, resume=True) == (0, {})
    assert run.metrics() == [{"iteration": 0, "validation_accuracy": 10.0}]


def test_the_metrics_are_on_the_disk_before_the_checkpoint_that_stands_on_them(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(CONFIG, resume=False)
    run.record({"iteration": 1, "loss": 1.0})
    run.checkpoint(1, {"pixels": torch.zeros(1)})
    assert iterations(Run(tmp_path)) == [1]  # not closed: as after a kill
    run.close()


@pytest.mark.parametrize("tail", ['{"iteration": 6, "lo', '{"iteration"', '{"loss": 3}', "7", "null", "[1, 2]", "\x00\x00\x00"])
def test_a_half_written_line_is_left_out(tmp_path: Path, tail: str) -> None:
    run = begun(tmp_path, checkpoints=(5,), metrics=5)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(tail)
    assert iterations(run) == [1, 2, 3, 4, 5]
    run.begin(CONFIG, resume=True)
    run.record({"iteration": 6, "loss": 0.1})
    run.close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["iteration"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_an_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(5,), metrics=5)
    with pytest.raises(UserError, match="already holds a run: continue it with `resume=True`, or choose another `out`"):
        run.begin(CONFIG, resume=False)
    assert run.begin(CONFIG, resume=True)[0] == 5


def test_a_folder_with_other_things_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("...")
    for resume in (False, True):
        with pytest.raises(UserError, match="is not empty and does not hold a run; choose another `out`"):
            Run(tmp_path).begin(CONFIG, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", [".DS_Store", ".datastill-0123456789abcdef.partial", ".datastill-0123456789abcdef.lock"])
def test_a_folder_that_a_killed_process_left_counts_as_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("half of a configurat")
    assert Run(tmp_path).begin(CONFIG, resume=True) == (0, {})


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(5,))
    (tmp_path / "checkpoint" / ".datastill-0123456789abcdef.partial").write_bytes(b"half")
    (tmp_path / ".datastill-fedcba9876543210.partial").write_bytes(b"half")
    assert run.begin(CONFIG, resume=True)[0] == 5
    assert kept(run) == ["00000005.safetensors"]
    assert not (tmp_path / ".datastill-fedcba9876543210.partial").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ipc": 3}, "ipc was 2, is 3"),
        ({"method": {"name": "dm", "real_batch": 64}}, "method.real_batch was 256, is 64"),
        ({"method": {"name": "dm"}}, "method.real_batch was 256, is not set"),
        ({"method": {"name": "dm", "real_batch": 256, "augment": True}}, "method.augment was not set, is True"),
        ({"data": {"name": "tiny", "mean": (0.3, 0.5)}}, r"data.mean was \[0.3, 0.4\], is \[0.3, 0.5\]"),
        ({"ipc": 3, "seed": 1, "data": {"name": "x", "mean": [0.1]}}, "data.mean.*data.name.*ipc.*and 1 more"),
    ],
)
def test_another_configuration_is_refused_naming_the_difference(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    run = begun(tmp_path, checkpoints=(5,), metrics=7)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=f"a run with another configuration .*{said}"):
        run.begin(changed(**change), resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_iterations_validation_and_maker_may_change(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(5,))
    longer = changed(
        iterations=80, validate_at={"iterations": [0, 80]}, made_by={"commit": "def"}, data={"name": "tiny", "mean": (0.3, 0.4)}
    )
    assert run.begin(longer, resume=True)[0] == 5
    assert (run.config() or {})["iterations"] == 80


def test_a_run_says_who_began_it_and_who_went_on_with_it(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(5,))
    for commit in ("abc", "def", "abc", "def", "ghi"):
        run.begin(changed(made_by={"commit": commit}), resume=True)
    found = run.config() or {}
    assert found["made_by"] == {"commit": "abc"}
    assert found["continued_by"] == [{"commit": "def"}, {"commit": "ghi"}]
    run.checkpoint(40, {"pixels": torch.zeros(1)})
    run.begin(changed(made_by={"commit": "jkl"}), resume=True)  # finished: it takes no step
    assert run.config() == found
    run.begin(changed(made_by={"commit": "jkl"}, iterations=80), resume=True)
    assert (run.config() or {})["continued_by"] == [{"commit": "def"}, {"commit": "ghi"}, {"commit": "jkl"}]


def test_fewer_iterations_than_there_are_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(10, 20), metrics=25)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="has 20 iterations already; ask for at least as many `iterations`"):
        run.begin(changed(iterations=19), resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert run.begin(changed(iterations=20), resume=True)[0] == 20


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    assert KEPT == 2
    run = begun(tmp_path, checkpoints=(5, 10, 15, 20))
    assert kept(run) == ["00000015.safetensors", "00000020.safetensors"]


def test_a_damaged_newest_checkpoint_is_passed_over_and_does_not_crowd_out_whole_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(tmp_path, checkpoints=(10, 20), metrics=25)
    newest = tmp_path / "checkpoint" / "00000020.safetensors"
    newest.write_bytes(newest.read_bytes()[:-5])
    iteration, state = run.begin(CONFIG, resume=True)
    assert iteration == 10
    assert float(state["pixels"][0, 0]) == 10
    assert iterations(run) == list(range(1, 11))
    assert "the previous checkpoint is used" in caplog.text
    run.checkpoint(12, {"pixels": torch.full((2, 3), 12.0)})
    assert kept(run) == ["00000010.safetensors", "00000012.safetensors"]
    run.checkpoint(14, {"pixels": torch.full((2, 3), 14.0)})
    assert kept(run) == ["00000012.safetensors", "00000014.safetensors"]


def test_with_both_damaged_a_run_begins_again_and_keeps_its_new_checkpoints(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(10, 20), metrics=25)
    for path in (tmp_path / "checkpoint").iterdir():
        path.write_bytes(b"")
    assert run.begin(CONFIG, resume=True) == (0, {})
    assert run.metrics() == []
    run.checkpoint(3, {"pixels": torch.full((2, 3), 3.0)})
    assert run.begin(CONFIG, resume=True)[0] == 3


@pytest.mark.parametrize("content", ["", "- a list", "a: [", "just text"])
def test_a_damaged_configuration_is_said_to_be_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config.yaml (is damaged|cannot be read)"):
        Run(tmp_path).begin(CONFIG, resume=True)


def test_what_became_known_late_is_bound_once(tmp_path: Path) -> None:
    run = begun(tmp_path, checkpoints=(5,))
    run.bind("encoders", {"pretrained 0": "aaaa"})
    assert (run.config() or {})["encoders"] == {"pretrained 0": "aaaa"}
    assert run.begin(CONFIG, resume=True)[0] == 5  # it belongs to the run, not to what is asked for
    written = (tmp_path / "config.yaml").stat().st_mtime_ns
    run.bind("encoders", {"pretrained 0": "aaaa"})
    assert (tmp_path / "config.yaml").stat().st_mtime_ns == written
    with pytest.raises(UserError, match=r"started with other encoders \({'pretrained 0': 'aaaa'}\) than now \({'pretrained 0': 'bbbb'}\)"):
        run.bind("encoders", {"pretrained 0": "bbbb"})
    assert (run.config() or {})["encoders"] == {"pretrained 0": "aaaa"}
    assert {key: value for key, value in (run.config() or {}).items() if key != "encoders"} == CONFIG


def test_binding_nothing_changes_nothing(tmp_path: Path) -> None:
    run = begun(tmp_path)
    run.bind("encoders", {})
    run.bind("encoders", {"pretrained 0": "aaaa"})
    assert (run.config() or {})["encoders"] == {"pretrained 0": "aaaa"}


def test_metrics_that_do_not_fit_on_the_disk_give_one_clear_line(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.begin(CONFIG, resume=False)
    run.record({"iteration": 1, "loss": 1.0})
    with files_of_at_most(10):
        with pytest.raises(UserError, match=r"files are not allowed to become large enough to write .*metrics.jsonl; what was written"):
            run.checkpoint(1, {"pixels": torch.zeros(1)})
        assert not (tmp_path / "checkpoint").exists()
        with pytest.raises(UserError, match=r"to write .*metrics.jsonl"):
            run.close()
    run.close()
    assert run.begin(CONFIG, resume=True) == (0, {})
    run.close()


def test_a_folder_that_cannot_be_made_gives_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file is a file, not a folder\); choose another folder"):
        Run(tmp_path / "file" / "run").begin(CONFIG, resume=False)


def test_snapshots_hold_the_images_of_an_iteration(tmp_path: Path) -> None:
    run = begun(tmp_path)
    images = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    run.snapshot(7, {"images": images})
    tensors, text = load_tensors(tmp_path / "snapshots" / "00000007.safetensors")
    assert torch.equal(tensors["images"], images)
    assert text["iteration"] == "7"


def test_configurations_are_compared_as_yaml_reads_them() -> None:
    nested = {"a": (1, (2, 3)), "b": {"c": ("x",), 4: None}}
    assert plain(nested) == yaml.safe_load(yaml.safe_dump(plain(nested))) == {"a": [1, [2, 3]], "b": {"c": ["x"], "4": None}}
    assert flat({"a": {"b": {"c": 1}}, "d": [2]}) == {"a.b.c": 1, "d": [2]}


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    mine, other = Run(tmp_path / "mine"), Run(tmp_path / "other")
    mine.begin({"ipc": 2, "iterations": 9}, resume=False)
    other.begin({"ipc": 1, "iterations": 9}, resume=False)
    other.checkpoint(5, {"pixels": torch.zeros(1)})
    mine.close()
    (tmp_path / "mine" / "checkpoint").mkdir()
    (tmp_path / "other" / "checkpoint" / "00000005.safetensors").rename(tmp_path / "mine" / "checkpoint" / "00000005.safetensors")
    with pytest.raises(UserError, match=r"does not belong to the configuration of .*mine"):
        Run(tmp_path / "mine").begin({"ipc": 2, "iterations": 9}, resume=True)
