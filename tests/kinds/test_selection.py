"""What the methods that choose real images have in common, for every method that declares itself one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import datastill
from datastill.cli import main
from datastill.data import DataSet
from datastill.distilled import DistilledSet, export
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import load_tensors
from datastill.kinds.selection import EmbeddingSelection, Selection, drawn
from datastill.methods import METHODS, method
from datastill.networks import build
from datastill.runs import Run
from datastill.teachers import pretrain
from doubles import KilledError
from run_folders import interrupted
from small_methods import quick

SELECTIONS = [name for name in METHODS if method(name).kind == Selection.kind]
every = pytest.mark.parametrize("name", SELECTIONS)


def run(data: DataSet, name: str, out: Path | None = None, **options: Any) -> DistilledSet:
    return datastill.distill(data, method=quick(name), out=out, engine=Engine(), **{"ipc": 3, **options})


def positions(folder: Path) -> torch.Tensor:
    return load_tensors(folder / "checkpoint" / "00000001.safetensors")[0]["positions"]


def test_there_are_the_four_of_the_papers_tables() -> None:
    assert SELECTIONS == ["random", "herding", "k-center", "forgetting"]


@every
def test_the_set_is_different_real_images_of_every_class_and_8_bits_hold_them_exactly(tiny: DataSet, tmp_path: Path, name: str) -> None:
    distilled = run(tiny, name, tmp_path / "run")
    rows = positions(tmp_path / "run")
    assert rows.shape == (3, 3)
    assert torch.equal(tiny.train.labels[rows], torch.arange(3)[:, None].expand(3, 3))
    assert len(set(rows.flatten().tolist())) == 9
    pixels = tiny.train.gather(rows.flatten())
    assert torch.equal(distilled.images, tiny.normalise(pixels))
    assert torch.equal(distilled.pixels, pixels)
    assert torch.equal(distilled.labels, torch.arange(3).repeat_interleave(3))
    torch.testing.assert_close(distilled.rendered().images, distilled.images, rtol=0, atol=1e-6)
    folder = export(distilled, tmp_path / "photos", "folder")
    with Image.open(folder / "left" / "0000.png") as picture:
        assert torch.equal(torch.from_numpy(np.array(picture)), pixels[0].permute(1, 2, 0))


@every
def test_a_run_takes_the_one_step_of_its_kind_and_says_so(
    tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    caplog.set_level("INFO", "datastill")
    run(tiny, name, tmp_path / "run")
    assert f"{name}: choosing 9 of 36 training images, 3 of each class" in caplog.text
    assert "is ignored" not in caplog.text
    assert f"{name} 1/1" in capfd.readouterr().err
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["iterations"] == 1
    (line,) = Run(tmp_path / "run").metrics()
    assert (line["iteration"], line["chosen"]) == (1, 9)
    run(tiny, name, tmp_path / "again", iterations=500)
    assert f"{name} is a method of selection, which needs no iterations: the number given is ignored" in caplog.text
    assert yaml.safe_load((tmp_path / "again" / "config.yaml").read_text())["iterations"] == 1


@every
def test_a_finished_selection_is_not_made_again(tiny: DataSet, tmp_path: Path, name: str) -> None:
    first = run(tiny, name, tmp_path / "run", seed=3)
    again = datastill.distill(
        tiny, engine=Engine(), method=interrupted(quick(name), 0), ipc=3, out=tmp_path / "run", seed=3, resume=True
    )  # not at all
    assert torch.equal(again.images, first.images)
    with pytest.raises(UserError, match="seed was 3, is 4"):
        run(tiny, name, tmp_path / "run", seed=4, resume=True)


@every
def test_a_killed_selection_is_made_from_the_start_to_the_same_bits(tiny: DataSet, tmp_path: Path, name: str) -> None:
    straight = run(tiny, name, tmp_path / "straight")
    with pytest.raises(KilledError):
        datastill.distill(tiny, engine=Engine(), method=interrupted(quick(name), 0), ipc=3, out=tmp_path / "run")
    assert not (tmp_path / "run" / "distilled").exists()
    assert torch.equal(run(tiny, name, tmp_path / "run", resume=True).images, straight.images)


@every
def test_all_images_of_a_class_may_be_chosen_and_no_more(tiny: DataSet, name: str) -> None:
    everything = quick(name).open(tiny, Engine(), 12, 0)
    everything.step(0)
    assert sorted(everything.state()["positions"].flatten().tolist()) == list(range(36))
    with pytest.raises(UserError, match="the class 'left' has 12 training images, fewer than IPC 13: use `ipc=12` or less"):
        run(tiny, name, ipc=13)


def test_a_class_without_an_image_is_refused(tiny: DataSet) -> None:
    train = replace(tiny.train, rows=torch.arange(24), counts=(12, 0, 12))
    with pytest.raises(UserError, match="the class 'middle' has 0 training images, fewer than IPC 1: a selection needs an image of every"):
        run(replace(tiny, train=train), "random", ipc=1)


def test_before_the_step_the_images_are_a_draw(tiny: DataSet) -> None:
    stepper = quick("herding").open(tiny, Engine(), 2, 7)
    assert torch.equal(stepper.state()["positions"], drawn(tiny, 2, 7))


@pytest.mark.parametrize("name", [name for name in SELECTIONS if isinstance(method(name), EmbeddingSelection)])
def test_the_embeddings_are_those_of_the_pretrained_network_class_by_class(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    seen: list[torch.Tensor] = []
    composed = replace(quick(name), network="alexnet")  # type: ignore[call-arg]  # of this kind
    assert isinstance(composed, EmbeddingSelection)
    order = type(composed).order

    def watched(selection: EmbeddingSelection, embeddings: torch.Tensor, ipc: int) -> torch.Tensor:
        seen.append(embeddings)
        return order(selection, embeddings, ipc)

    monkeypatch.setattr(type(composed), "order", watched)
    datastill.distill(tiny, method=composed, ipc=2, engine=Engine(), out=tmp_path / "run")
    network = build("alexnet", channels=3, classes=3, size=(8, 8)).eval()
    network.take(load_tensors(pretrain(tiny, "alexnet", 1, composed.recipe, Engine())[0].path)[0])
    with torch.no_grad():
        for label, embeddings in enumerate(seen):
            images = tiny.normalise(tiny.train.images[12 * label : 12 * label + 12])
            torch.testing.assert_close(embeddings, network(images).embedding, rtol=1e-4, atol=1e-4)
    assert len(seen) == 3
    assert list(yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["encoders"]) == ["pretrained 0"]
    assert composed.pretraining_seconds(tiny) > 0


def test_settings_choose_network_and_recipe() -> None:
    herding = method("herding", settings=["network=resnet18", "recipe=paper", "recipe.epochs=7"])
    assert isinstance(herding, EmbeddingSelection)
    assert (herding.network, herding.recipe.schedule, herding.recipe.epochs) == ("resnet18", "constant", 7)
    assert method("herding") == method("herding", settings=["recipe=fast", "network=convnet"])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("recipe=slow", "slow"),
        ("recipe.epoch=3", "unknown setting of recipe 'epoch'. Did you mean 'epochs'"),
        ("learning_rate=3", "herding has no 'learning_rate' of its own, but it has recipe.learning_rate"),
        ("networks=resnet18", "unknown setting of herding 'networks'. Did you mean 'network'"),
        ("cc.weight=3", "herding has no 'cc', which came in the setting 'cc.weight=3'"),
    ],
)
def test_settings_that_it_does_not_have_are_refused(setting: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        method("herding", settings=[setting])
    with pytest.raises(UserError, match="random has no settings, but got "):
        method("random", settings=[setting])


@pytest.mark.parametrize("name", ["herding", "k-center", "forgetting"])
def test_an_unknown_network_is_told_before_anything_is_written(tiny: DataSet, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"unknown network 'convnett'\. Did you mean 'convnet'"):
        datastill.distill(tiny, method=method(name, settings=["network=convnett"]), ipc=2, out=tmp_path / "run", engine=Engine())
    assert not (tmp_path / "run").exists()


def test_the_same_commands_as_for_every_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "run")
    main(["distill", "digits", "--method", "herding", "--ipc", "2", "--set", "recipe.epochs=1", "--out", folder])
    assert "distilled digits with herding: 20 images" in capsys.readouterr().out
    main(["show", folder])
    assert "herding, 1 iteration, seed 0" in capsys.readouterr().out
    main(["evaluate", folder, "--repeats", "1", "--epochs", "2", "--compare", "none", "--json"])
    assert '"n": 1' in capsys.readouterr().out
    main(["export", folder, str(tmp_path / "photos")])
    assert len(list((tmp_path / "photos").rglob("*.png"))) == 20
    main(["list", "methods"])
    listed = capsys.readouterr().out
    assert "  herding     CVPR 2017, arXiv:1611.07725" in listed.partition("\nselection\n")[2]


@every
def test_a_term_is_refused_in_one_line_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["distill", "digits", "--method", f"{name}+cc", "--out", str(tmp_path / "run")])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{name} is a method of selection, which takes no terms: leave out +cc" in said
    assert not (tmp_path / "run").exists()
