"""Every value of a method, and where it comes from."""

from __future__ import annotations

import pytest

import datastill
from commands import refusal
from datastill.cli import main
from datastill.configuration import describe, paths
from datastill.methods import METHODS, method
from datastill.report.described import networks
from datastill.report.values import values
from datastill.setting import PRESETS, Lookup, Setting


def test_experts_are_among_the_networks_with_the_epochs_that_are_read() -> None:
    """Those of mtt are trained for one less than the latest start, and the epochs that are followed."""
    made = describe(method("mtt+cc", data="cifar10", ipc=10, settings=("experts=2",)))
    said = networks(made, {"expert 0": "0123456789", "expert 1": "abcdefghij", "pretrained 0": "xyz"})
    assert said.startswith("expert: 2 x convnet, 21 epochs (01234567, abcdefgh); pretrained: 1 x resnet18, 4 epochs (xyz)")


def origins(
    name: str, *settings: str, data: str = "digits", ipc: int = 10, preset: str = "paper", side: int | None = None
) -> dict[str, str]:
    found = values(Lookup(name, Setting(data, 10, ipc, preset, side), settings))
    return {value.path: value.origin for value in found}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [*METHODS, "dm+iid", "idm+iid"])
def test_every_path_is_there_with_the_value_that_the_method_has(name: str, preset: str) -> None:
    method = datastill.method(name, ipc=10, preset=preset)
    found = values(Lookup(name, Setting("digits", 10, 10, preset)))
    assert [value.path for value in found] == list(paths(method))
    assert all(value.origin for value in found)
    for value in found:  # what is printed is what --set takes, and changes nothing
        if value.value not in ("(none)", "changed", "None"):
            assert datastill.method(name, ipc=10, preset=preset, settings=[f"{value.path}={value.value}"]).describe() == method.describe()


def test_values_come_from_the_preset_the_method_the_term_the_images_or_the_user() -> None:
    found = origins("idm+iid", "cc.weight=1", preset="fast", side=8)
    assert found["cc.weight"] == "--set"
    assert found["real_batch"] == "preset fast"
    assert found["factor"] == "idm"
    assert found["momentum"] == "default"
    assert found["cm.weight"] == "preset fast"
    assert found["learning_rate"] == "preset fast, by IPC"
    assert found["pretrained.network"] == "images of 8 pixels"
    assert found["matching.steps"] == "preset fast, by data set"
    code = origins("dm+cc", ipc=50, preset="code")
    assert code["cc.weight"] == "preset code, by IPC"
    assert code["balance"] == "preset code"
    assert origins("dm", data="cifar10", ipc=100)["learning_rate"] == "dm, by IPC and data set"


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "dm+cc", "--preset", "fast", "--ipc", "20", "--data", "cifar10", "--set", "cc.alpha=2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "dm+cc: distribution matching; values for cifar10 at IPC 20"
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[2:-1]}
    assert rows["learning_rate"] == ["10.0", "preset fast, by IPC"]
    assert rows["cc.alpha"] == ["2.0", "--set"]
    assert rows["pretrained.recipe"] == ["fast", "default"]
    assert rows["pretrained.network"] == ["resnet18", "default"]
    assert lines[-1] == "To change one: --set learning_rate=10.0"
    main(["show", "dm+cc"])
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "pretrained.network" in line]
    assert row.split(maxsplit=2) == ["pretrained.network", "convnet", "images of 8 pixels"]
    main(["show", "random"])
    assert capsys.readouterr().out.splitlines()[-1] == "It has no settings."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dmm+cc"], "unknown path or method 'dmm'. Did you mean 'dm'?"),
        (["dm+ccc"], "unknown term 'ccc'. Did you mean 'cc'?"),
        (["dm", "--preset", "fats"], "unknown preset 'fats'. Did you mean 'fast'?"),
        (["dm", "--data", "cifra10"], "unknown data set 'cifra10'. Did you mean 'cifar10'?"),
        (["runs/nowhere", "--ipc", "3"], "--preset, --ipc and --set are for a method, but 'runs/nowhere' is none of"),
        (["runs/nowhere"], "no distilled set at runs/nowhere"),
        (["dm+iid", "--set", "weight=1"], "has mm.weight, cc.weight, cm.weight: name one of them"),
    ],
)
def test_mistakes_are_named(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refusal(capsys, "show", *arguments)
