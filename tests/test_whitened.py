"""A whitened data set from its name to the exports of what was distilled from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms import v2

import datastill
from datastill import DistilledSet, Protocol, UserError, evaluate
from datastill.cli import main
from datastill.data import DataSet, PerChannel, load
from datastill.data.loading import whitening_of
from datastill.data.whitening import Whitening
from datastill.distilled import export
from datastill.engine import Engine
from datastill.evaluation import Score
from datastill.files import save_tensors
from datastill.runs.plan import Plan
from datastill.runs.previews import preview
from datastill.runs.status import newest_images, read_status
from datastill.teachers.pool import pool_folder
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.stored import Member
from doubles import KilledError
from run_folders import assert_same_run, config, interrupted, method, run
from tiny_sets import same_bits

NAME = "digits{whiten=yes}"


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load("digits", whiten=True)


@pytest.fixture(scope="module")
def begun(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on whitened digits; no test may change it."""
    folder = tmp_path_factory.mktemp("whitened") / "run"
    run(data, folder, seed=3)
    return folder


def same(one: Score, other: Score) -> bool:
    """Whether every network of one classified as that of another."""
    return one.accuracies == other.accuracies and torch.equal(one.confusion, other.confusion)


def objects(side: int = 8) -> tuple[Any, list[str]]:
    """Noise of one's own in two classes, images and labels."""
    images = np.random.default_rng(side).integers(0, 256, (24, side, side, 3), dtype=np.uint8)
    return images, ["cat"] * 12 + ["dog"] * 12


def test_the_name_says_it(data: DataSet) -> None:
    plain = load("digits")
    assert data.name == NAME
    assert data.source == "digits"
    assert (data.mean, data.std) == ((0.0,), (1.0,))
    assert load(NAME).normalisation == data.normalisation != plain.normalisation
    assert plain.normalised_by(data.normalisation).normalised_by(plain.normalisation).describe() == plain.describe()
    pixels = data.test.images
    torch.testing.assert_close(data.denormalise(data.normalise(pixels)).mul(255).round(), pixels.float())
    assert data.fingerprint == plain.fingerprint


def test_some_classes_are_whitened_as_the_whole(data: DataSet) -> None:
    part = load(f"{NAME}[3,5]")
    assert part.normalisation == data.normalisation
    assert part.fingerprint != data.fingerprint
    assert load("digits", whiten=True, classes="3,5").normalisation == data.normalisation


def test_images_of_ones_own_are_whitened_by_the_training_split() -> None:
    images, labels = objects()
    found = load((images, labels), whiten=True)
    assert "{whiten=yes}" in found.name
    whitened = found.normalise(found.train.images)
    torch.testing.assert_close(whitened.mean(0), torch.zeros(3, 8, 8), rtol=0, atol=1e-5)
    with pytest.raises(UserError, match=r"whitening images of 3x40x40 takes 1\.1 GB of memory, more than 0\.8: resize them to 36x36"):
        load(objects(40), whiten=True)
    with pytest.raises(UserError, match="already loaded: make choices where it is loaded"):
        load(found, whiten=True)


def test_items_are_whitened_and_pixels_are_pixels(data: DataSet) -> None:
    raw = data.train.gather(torch.tensor([4]))[0]
    torch.testing.assert_close(data.as_dataset()[4][0], data.normalise(raw))
    assert torch.equal(data.as_dataset(form="pixels")[4][0], raw.float() / 255)
    assert np.array_equal(np.asarray(data.as_dataset(form="pil")[4][0]), raw[0].numpy())


def test_networks_of_the_cache_are_of_one_normalisation(data: DataSet, tmp_path: Path) -> None:
    plain, recipe = load("digits"), TrainingRecipe(epochs=1)
    assert pool_folder(data, "convnet", recipe, tmp_path) != pool_folder(plain, "convnet", recipe, tmp_path)
    other = Member(data, "convnet", recipe).text()
    Member(data, "convnet", recipe).check(other, tmp_path)
    with pytest.raises(UserError, match="belongs to another network: its normalisation is"):
        Member(plain, "convnet", recipe).check(other, tmp_path)
    assert data.whitening is not None
    rounded = data.normalised_by(replace(data.whitening, identity=Whitening(0.1, data.fingerprint, "other")))
    assert pool_folder(data, "convnet", recipe, tmp_path) == pool_folder(rounded, "convnet", recipe, tmp_path)
    Member(rounded, "convnet", recipe).check(other, tmp_path)


def test_a_configuration_is_read_back(begun: Path, data: DataSet) -> None:
    said = config(begun)["data"]
    assert said["name"] == NAME
    assert data.whitening is not None
    assert said["whitening"] == {"epsilon": 0.1, "images": data.fingerprint, "checksum": data.whitening.identity.checksum}
    plan = Plan.read(begun)
    assert plan.load().normalisation == data.normalisation
    with pytest.raises(UserError, match=r"is not that of .*its mean was \[0\.0\]"):
        plan.fitting(load("digits"))
    with pytest.raises(UserError, match=r"config\.yaml: data\.whitening must be"):
        replace(plan, data={**plan.data, "whitening": {"epsilon": "much"}}).load()


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(begun: Path, data: DataSet, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(data, tmp_path / "run", seed=3, method=interrupted(method(), 4))
    datastill.resume(tmp_path / "run", checkpoint_seconds=0)
    assert_same_run(tmp_path / "run", begun)


def test_a_run_is_repeated_from_its_configuration(begun: Path, tmp_path: Path) -> None:
    again = datastill.repeat(begun / "config.yaml", out=tmp_path / "again")
    assert same_bits(again.images, DistilledSet.load(begun).images)


def test_a_file_has_all_that_evaluation_needs(begun: Path, data: DataSet) -> None:
    protocol = Protocol(epochs=4)
    made = DistilledSet.load(begun)
    assert made.origin.whitening == data.whitened_by
    assert made.origin.normalisation == data.normalisation
    of_file = evaluate(begun, repeats=1, compare=("random", "rendering"), protocol=protocol, engine=Engine())
    of_memory = evaluate(made, data=data, repeats=1, compare=("random", "rendering"), protocol=protocol, engine=Engine())
    by_another_name = evaluate(made, data=load("digits"), repeats=1, compare=("random",), protocol=protocol, engine=Engine())
    assert same(of_file.score, of_memory.score)
    assert same(of_file.score, by_another_name.score)
    for name in ("random", "rendering"):
        assert same(of_file.comparisons[name], of_memory.comparisons[name])
    assert same(by_another_name.comparisons["random"], of_file.comparisons["random"])


def test_a_set_that_is_not_whitened_is_tested_as_it_is(data: DataSet, tmp_path: Path) -> None:
    plain = run(load("digits"), None, 1)
    one, other = (
        evaluate(plain, data=each, repeats=1, compare=(), protocol=Protocol(epochs=1), engine=Engine()) for each in ("digits", data)
    )
    assert same(one.score, other.score)


def test_without_the_cache_it_is_computed_again(begun: Path, data: DataSet, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = DistilledSet.load(begun)
    whitening_of.cache_clear()
    assert made.origin.normalisation == data.normalisation
    assert "by their 64x64 covariance, once" in caplog.text
    assert len(list((cache / "whitening").glob("*.safetensors"))) == 1


def test_a_set_of_images_that_are_gone_says_so(begun: Path, cache: Path) -> None:
    made = DistilledSet.load(begun)
    gone = replace(made, origin=replace(made.origin, data="folder:nowhere", whitening=Whitening(0.1, "f" * 16, "0")))
    with pytest.raises(UserError, match=r"nowhere.*the set is whitened by its training images; if they have moved, give them with `data`"):
        gone.pixels  # noqa: B018
    other = replace(made, origin=replace(made.origin, whitening=Whitening(0.1, "f" * 16, "0")))
    with pytest.raises(UserError, match=r"was whitened with epsilon 0\.1 by the images ffff.*here they are .*give the data set"):
        evaluate(other, repeats=1)


def test_a_header_that_contradicts_itself_is_refused(begun: Path, tmp_path: Path) -> None:
    made = DistilledSet.load(begun)
    tensors = load_file(begun / "distilled" / "images.safetensors")
    header = made._header()
    assert header["format"] == "datastill-2"
    plain = replace(made, origin=replace(made.origin, whitening=None, mean=(0.5,), std=(0.2,)))._header()
    assert plain["format"] == "datastill-1"
    assert "whitening" not in json.loads(plain["origin"])
    origin = json.loads(header["origin"])
    for changed, said in (
        ({"format": "datastill-1"}, "its format datastill-1 does not fit whether it is whitened"),
        ({"origin": json.dumps({**origin, "whitening": {"epsilon": "1"}})}, "expected the origin of the set as JSON"),
        ({"origin": json.dumps({**origin, "whitening": {**origin["whitening"], "epsilon": -1.0}})}, "whitening has a value that cannot be"),
    ):
        save_tensors(tmp_path / "images.safetensors", tensors, {**header, **changed})
        with pytest.raises(UserError, match=said):
            DistilledSet.load(tmp_path)


def test_chosen_images_are_exported_as_they_were(data: DataSet, tmp_path: Path) -> None:
    chosen = datastill.distill(data, method="random", ipc=2)
    real = {image.numpy().tobytes() for image in data.train.images}
    assert all(image.numpy().tobytes() in real for image in chosen.pixels)
    assert chosen.clipped == 0
    torch.testing.assert_close(chosen.rendered().images, chosen.images, rtol=0, atol=1e-4)
    assert torch.equal(preview(chosen.canvas, data)["images"], chosen.pixels)
    datastill.export(chosen, tmp_path / "folder", format="folder")
    pngs = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "folder").glob("*/*.png"))]
    assert np.array_equal(np.stack(pngs), chosen.pixels[:, 0].numpy())
    assert not (tmp_path / "folder" / "normalisation.json").exists()
    page = (tmp_path / "folder" / "README.md").read_text()
    assert "Whiten all images with them" in page
    assert "| whitened | ZCA, epsilon 0.1, by the images of fingerprint" in page
    whiten = v2.LinearTransformation(**load_file(tmp_path / "folder" / "whitening.safetensors"))
    torch.testing.assert_close(whiten(torch.tensor(pngs[3])[None].float() / 255), chosen.images[3], rtol=0, atol=1e-5)


def test_the_training_of_an_exported_folder_runs(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datastill.export(datastill.distill(data, method="random", ipc=1), tmp_path / "folder", format="folder")
    monkeypatch.chdir(tmp_path / "folder")
    names: dict[str, Any] = {}
    exec((tmp_path / "folder" / "README.md").read_text().split("```python\n")[1].split("```")[0], names)
    assert not names["train"](epochs=1).training
    image = names["plain"](Image.open(next((tmp_path / "folder").glob("*/*.png"))).convert("L"))
    assert image.shape == (3, 8, 8)
    assert torch.equal(image[0], image[2])
    assert float(image.abs().mean()) < 1


def test_a_split_is_exported_with_the_whitening(data: DataSet, tmp_path: Path) -> None:
    datastill.export(data, tmp_path / "test", split="test")
    assert data.whitening is not None
    assert same_bits(load_file(tmp_path / "test" / "whitening.safetensors")["transformation_matrix"], data.whitening.matrix)


def test_a_tensor_file_comes_back(data: DataSet, begun: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = DistilledSet.load(begun)
    datastill.export(made, tmp_path / "set.pt", format="dc")
    back = DistilledSet.load_foreign(tmp_path / "set.pt", data)
    assert same_bits(back.images, made.images)
    assert torch.equal(back.pixels, made.pixels)
    torch.save(made.images, tmp_path / "images_best.pt")
    torch.save(made.origin.normalisation.invert(made.images), tmp_path / "images_zca_best.pt")
    torch.save(made.labels, tmp_path / "labels_best.pt")
    caplog.clear()
    assert same_bits(DistilledSet.load_foreign(tmp_path / "images_best.pt", data).images, made.images)
    undone = DistilledSet.load_foreign(tmp_path / "images_zca_best.pt", data)
    torch.testing.assert_close(undone.images, made.images, rtol=0, atol=1e-4)
    assert "ZCA" not in caplog.text
    DistilledSet.load_foreign(tmp_path / "images_best.pt", load("digits"))
    assert "if it was distilled on ZCA-whitened images, read it with `whiten`" in caplog.text


def test_a_run_is_watched_and_shown(begun: Path) -> None:
    shown, made = newest_images(read_status(begun)), DistilledSet.load(begun)
    assert shown is not None
    assert np.array_equal(shown.reshape(-1, 8, 8), made.pixels[:, 0].numpy())


@pytest.mark.parametrize(("setting", "said"), [("factor=2", "stores 4 parts in an image"), ("pixels=box", "between black and white")])
def test_what_needs_pixels_is_refused(data: DataSet, setting: str, said: str) -> None:
    with pytest.raises(UserError, match=f"dm .*{said}.*leave `whiten` out of the data set"):
        datastill.distill(data, method="dm", ipc=1, iterations=1, settings=[setting])


def test_the_command_takes_a_flag(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    main(["distill", "digits", "--whiten", "--method", "random", "--ipc", "1", "--out", out])
    assert config(tmp_path / "run")["data"]["name"] == NAME
    main(["distill", "digits", "--whiten", "--method", "random", "--ipc", "1", "--out", out, "--resume"])
    assert "distilled digits{whiten=yes} with random" in capsys.readouterr().out


def test_networks_learn_from_whitened_images(data: DataSet) -> None:
    """One image a class, distilled for few steps, beats a real one."""
    made = datastill.distill(data, method="dm", ipc=1, iterations=40, settings=["real_batch=64"], engine=Engine())
    found = evaluate(made, data=data, repeats=2, compare=("random",), protocol=Protocol(epochs=100), engine=Engine())
    assert found.score.mean > found.comparisons["random"].mean + 8


def test_the_default_is_as_it_was() -> None:
    data = load("digits")
    assert data.whitening is None
    assert isinstance(data.normalisation, PerChannel)
    assert "whitening" not in data.describe()


def test_a_tensor_file_says_how_a_whitened_set_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = datastill.distill(NAME, method="random", ipc=1)
    export(made, tmp_path / "set.pt", "dc")
    assert "give the data 'digits{whiten=yes}' when you read it" in caplog.text
