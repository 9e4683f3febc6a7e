"""A run read back from its configuration, and repeated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import datastill
from datastill import DistilledSet, Protocol, UserError
from datastill.data import DataSet
from datastill.engine import Engine, Policy
from datastill.runs.plan import Plan
from small_methods import small


@pytest.fixture(scope="module")
def begun(tiny: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a validation, whose protocol differs from the default in every way."""
    folder = tmp_path_factory.mktemp("begun") / "run"
    protocol = Protocol("vgg11", epochs=1, augment=False, learning_rate=0.02, momentum=0.5, weight_decay=0.0, batch=7)
    datastill.distill(
        tiny, method=small("dm+cm"), ipc=2, iterations=3, seed=5, out=folder, validate_at=[3], validation_protocol=protocol,
        engine=Engine.choose(device="cpu", precision="fp32", compile=False),
    )  # fmt: skip
    return folder


def content(folder: Path) -> dict[str, Any]:
    read = yaml.safe_load((folder / "config.yaml").read_text())
    assert isinstance(read, dict)
    return read


def changed(begun: Path, to: Path, **changes: Any) -> Path:
    to.write_text(yaml.safe_dump({key: value for key, value in {**content(begun), **changes}.items() if value != "left out"}))
    return to


def test_a_run_is_repeated_to_the_same_bits_and_configuration(tiny: DataSet, begun: Path, tmp_path: Path) -> None:
    again = datastill.repeat(begun / "config.yaml", data=tiny, out=tmp_path / "again")
    assert torch.equal(again.images, DistilledSet.load(begun).images)
    assert content(tmp_path / "again") == content(begun)
    datastill.repeat(begun, data=tiny, out=tmp_path / "again", resume=True)
    assert torch.equal(datastill.repeat(begun, data=tiny).images, again.images)


def test_a_configuration_says_everything(begun: Path) -> None:
    plan = Plan.read(begun)
    assert (plan.ipc, plan.seed, plan.iterations, plan.validate_at, plan.asked) == (2, 5, 3, (3,), Policy("fp32", False))
    assert plan.protocol == Protocol("vgg11", epochs=1, augment=False, learning_rate=0.02, momentum=0.5, weight_decay=0.0, batch=7)
    assert plan.method == small("dm+cm").used()
    assert plan.prepared_engine().describe() == content(begun)["engine"]


def test_a_file_of_an_earlier_version_is_read_with_what_it_left_out(begun: Path, tmp_path: Path) -> None:
    data = {key: value for key, value in content(begun)["data"].items() if key != "held_out"}
    earlier = changed(
        begun, tmp_path / "a.yaml", data=data, asked="left out", validate_at={"iterations": [], "network": "convnet", "epochs": 9}
    )
    plan = Plan.read(earlier)
    assert plan.protocol == Protocol(epochs=9)
    assert plan.asked == Policy()
    assert plan.data["held_out"] == 0.1


def test_another_data_set_or_machine_is_refused(tiny: DataSet, begun: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its fingerprint was 0123456789abcdef, is other"):
        datastill.repeat(begun, data=replace(tiny, fingerprint="other"), out=tmp_path / "run")
    with pytest.raises(UserError, match=r"its std was .*, is"):
        datastill.repeat(begun, data=replace(tiny, std=(1.0, 1.0, 1.0)), out=tmp_path / "run")
    with pytest.raises(UserError, match="unknown data set 'tiny'"):
        datastill.repeat(begun, out=tmp_path / "run")
    compiled = changed(begun, tmp_path / "a.yaml", engine={**content(begun)["engine"], "precision": "bf16"})
    with pytest.raises(UserError, match=r"cannot be repeated here: engine.precision was bf16, and can only be fp32"):
        datastill.repeat(compiled, data=tiny, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ipc": 2.9}, "ipc must be a whole number, got 2.9"),
        ({"seed": "x"}, "seed must be a whole number, got 'x'"),
        ({"iterations": None}, "iterations must be a whole number, got None"),
        ({"method": "left out"}, "is not the configuration of a distillation: it lacks 'method'"),
        ({"method": 3}, "method must be a mapping of fields, got 3"),
        ({"mehtod": 3}, "unknown key of .*'mehtod'. Did you mean 'method'"),
        ({"engine": 3}, "engine must be a mapping"),
        ({"validate_at": {"iterations": 3}}, "validate_at.iterations must be a list of whole numbers, got 3"),
        ({"validate_at": {"iterations": [], "network": "vg"}}, "validate_at: unknown network 'vg'"),
        ({"validate_at": {"iterations": [], "networks": "x"}}, "unknown field of .*validate_at 'networks'"),
        ({"data": {"name": "tiny"}}, "data.fingerprint must be text, got None"),
        ({"asked": {"precision": "fp32"}}, "asked lacks the field 'compile'"),
    ],
)
def test_a_configuration_that_says_something_else_is_refused(begun: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        Plan.read(changed(begun, tmp_path / "a.yaml", **changes))
    assert str(tmp_path / "a.yaml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_whole_protocol_is_compared_when_a_run_is_continued(tiny: DataSet, begun: Path) -> None:
    options: dict[str, Any] = {"method": small("dm+cm"), "ipc": 2, "iterations": 3, "seed": 5, "out": begun, "resume": True}
    protocol = replace(Plan.read(begun).protocol, batch=8)
    with pytest.raises(UserError, match=r"validate_at.batch was 7, is 8"):
        datastill.distill(tiny, **options, validate_at=[3], validation_protocol=protocol)
