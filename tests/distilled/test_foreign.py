"""Sets of other people's code, each layout made by hand; what executes nothing is in `test_tensor_file`."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import DistilledSet, UserError
from datastill.data import DataSet, PerChannel
from tiny_sets import MEAN, STD, data_set, distilled_set, same_bits, soft_set

WHOLE, DATA = distilled_set(), data_set()
IMAGES, LABELS = WHOLE.images, WHOLE.labels
PIXELS = torch.randint(0, 256, (6, 3, 8, 6), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


def load(path: Path, data: DataSet = DATA, **options: Any) -> DistilledSet:
    return DistilledSet.load_foreign(path, data, **options)


def trajectory(folder: Path, labels: Any = LABELS, name: str = "best", images: Tensor = IMAGES, rate: Any = None) -> Path:
    """The files that trajectory matching saves."""
    torch.save(images, folder / f"images_{name}.pt")
    torch.save(labels, folder / f"labels_{name.removeprefix('zca_')}.pt")
    if rate is not None:
        torch.save(rate, folder / f"lr_{name}.pt")
    return folder / f"images_{name}.pt"


def archive(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("experiment", "taken", "warned"), [(None, 2, True), (1, 0, False), (2, 1, False), (3, 2, False)])
def test_one_of_several_experiments_is_chosen(
    tmp_path: Path, experiment: int | None, taken: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    sets = [[distilled_set(seed=seed).images, LABELS] for seed in range(3)]
    torch.save({"data": sets}, tmp_path / "res_DC.pt")
    assert same_bits(load(tmp_path / "res_DC.pt", experiment=experiment).images, sets[taken][0])
    assert ("the sets of 3 experiments; the last is read, unless you choose an experiment from 1 to 3" in caplog.text) == warned


@pytest.mark.parametrize("experiment", [0, 2, -1])
def test_an_experiment_that_is_not_there_is_refused(tmp_path: Path, experiment: int) -> None:
    torch.save({"data": [[IMAGES, LABELS]]}, tmp_path / "set.pt")
    with pytest.raises(UserError, match=rf"1 experiment, numbered from 1: there is no experiment {experiment}"):
        load(tmp_path / "set.pt", experiment=experiment)


def test_trajectory_matching_leaves_images_labels_and_a_rate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = load(trajectory(tmp_path, rate=torch.tensor(0.0213)))
    assert same_bits(found.images, IMAGES)
    assert found.labels.tolist() == LABELS.tolist()
    assert found.learning_rate == pytest.approx(0.0213)
    assert "if it was distilled on ZCA-whitened images, read it with `whiten`" in caplog.text
    assert load(trajectory(tmp_path, name="5000")).learning_rate is None
    assert load(trajectory(tmp_path, name="20", rate=0.5)).learning_rate == 0.5
    caplog.clear()
    undone = load(trajectory(tmp_path, name="zca_5000"))  # pixels, as the published code undoes whitening before it saves them
    assert same_bits(undone.images, PerChannel(MEAN, STD).apply(IMAGES))
    assert "ZCA" not in caplog.text


@pytest.mark.parametrize("rate", [torch.tensor(-0.1), torch.tensor(float("nan")), torch.zeros(2), "fast", 0.0])
def test_a_rate_that_none_can_train_with_is_refused(tmp_path: Path, rate: Any) -> None:
    with pytest.raises(UserError, match=r"lr_best\.pt is refused: .*the learned learning rate"):
        load(trajectory(tmp_path, rate=rate))


def test_images_of_trajectory_matching_need_their_labels_and_their_name(tmp_path: Path) -> None:
    path = trajectory(tmp_path)
    (tmp_path / "labels_best.pt").unlink()
    with pytest.raises(UserError, match=r"has no labels: expected labels_best\.pt beside it"):
        load(path)
    with pytest.raises(UserError, match=r"it holds one tensor, which is read only if the file is named images_NAME\.pt"):
        load(path.rename(tmp_path / "synthetic.pt"))
    with pytest.raises(UserError, match="holds one set: leave out the experiment number, 1"):
        load(trajectory(tmp_path), experiment=1)


def test_nothing_is_executed_in_the_labels_beside_either(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
            return open, (str(tmp_path / "executed"), "w")

    path = trajectory(tmp_path)
    for name in ("labels_best.pt", "lr_best.pt"):
        before = (tmp_path / "labels_best.pt").read_bytes()
        (tmp_path / name).write_bytes(pickle.dumps(Payload()))
        with pytest.raises(UserError, match=f"{name} is refused"):
            load(path)
        (tmp_path / "labels_best.pt").write_bytes(before)
    np.savez(tmp_path / "set.npz", images=np.array([Payload()], dtype=object), labels=LABELS.numpy())
    with pytest.raises(UserError, match=r"set\.npz is refused: expected an archive of plain arrays"):
        load(tmp_path / "set.npz")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("Images", "Labels"), ("x_train", "y_train")])
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_an_archive_of_bytes_is_normalised(tmp_path: Path, last: bool, names: tuple[str, str]) -> None:
    pixels = PIXELS.permute(0, 2, 3, 1) if last else PIXELS
    found = load(archive(tmp_path / "set.npz", **{names[0]: pixels.numpy(), names[1]: LABELS.numpy().astype(np.uint8)}))
    torch.testing.assert_close(found.images, DATA.normalise(PIXELS))
    assert found.images.is_contiguous()
    assert torch.equal(found.pixels, PIXELS)
    assert found.labels.tolist() == LABELS.tolist()


def test_floats_of_an_archive_are_pixels_or_normalised_by_their_range(tmp_path: Path) -> None:
    labels = LABELS.numpy()[:, None]
    found = load(archive(tmp_path / "set.npz", images=(PIXELS.double() / 255).numpy(), labels=labels))
    torch.testing.assert_close(found.images, DATA.normalise(PIXELS), rtol=1e-5, atol=1e-5)
    assert same_bits(load(archive(tmp_path / "set.npz", images=IMAGES.numpy(), labels=labels)).images, IMAGES)
    with pytest.raises(UserError, match=r"float images from 0 to 255 are neither pixels from 0 to 1 nor normalised; store .* as uint8"):
        load(archive(tmp_path / "set.npz", images=torch.linspace(0, 255, IMAGES.numel()).view_as(IMAGES).numpy(), labels=labels))


def test_gray_images_need_no_channel(tmp_path: Path) -> None:
    data = data_set(channels=1)
    for pixels in (PIXELS[:, 0], PIXELS[:, :1], PIXELS[:, 0, :, :, None]):
        found = load(archive(tmp_path / "set.npz", images=pixels.numpy(), labels=LABELS.numpy()), data)
        assert torch.equal(found.pixels, PIXELS[:, :1])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": PIXELS}, "no images and labels: expected arrays of these names, got images"),
        ({"pixels": PIXELS, "classes": LABELS}, "got pixels, classes"),
        ({}, "got none"),
        ({"images": PIXELS[:, :2], "labels": LABELS}, r"\(6, 2, 8, 6\) do not fit tiny: expected \(image, 3, 8, 6\) or \(image, 8, 6, 3\)"),
        ({"images": PIXELS.int(), "labels": LABELS}, "images must be uint8 or floats, got torch.int32"),
        ({"images": PIXELS, "labels": LABELS + 1}, "labels must be from 0 to 2, got 1 to 3"),
        ({"images": PIXELS, "labels": LABELS[:4]}, r"labels must be int64 \(6,\), got torch.int64 \(4,\)"),
        ({"images": PIXELS, "labels": LABELS + 0.5}, "expected classes as whole numbers or a row of numbers for every image"),
        ({"images": PIXELS, "labels": F.one_hot(LABELS, 5)}, "labels of 5 classes do not fit the 3 classes of tiny"),
        ({"images": PIXELS, "labels": torch.rand(6, 5)}, r"soft labels must be float32 \(6, 3\)"),
        ({"images": PIXELS, "labels": torch.zeros(6, 3, 1)}, r"must be \(image,\) or \(image, class\)"),
        ({"images": IMAGES * float("nan"), "labels": LABELS}, "864 pixel values are NaN"),
        ({"images": PIXELS[:0], "labels": LABELS[:0]}, "images must be"),
    ],
)
def test_archives_that_cannot_be_right_are_refused(tmp_path: Path, arrays: dict[str, Tensor], message: str) -> None:
    path = archive(tmp_path / "set.npz", **{name: value.numpy() for name, value in arrays.items()})
    with pytest.raises(UserError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_channels_that_may_be_first_or_last_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"images \(3, 3, 3\) may have their channels first or last"):
        load(archive(tmp_path / "set.npz", images=PIXELS[:, :, :3, :3].numpy(), labels=LABELS.numpy()), data_set(size=(3, 3)))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    with pytest.raises(UserError, match=r"no such file: .*set\.npz"):
        load(path)
    archive(path, images=PIXELS.numpy(), labels=LABELS.numpy())
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:-300], whole[:200], pickle.dumps({"images": 1})):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"set\.npz is refused"):
            load(path)
    np.save(path.with_suffix(".npy"), PIXELS.numpy())
    path.with_suffix(".npy").rename(path)
    with pytest.raises(UserError, match=r"set\.npz is refused"):
        load(path)


SCORES = soft_set("scores").labels


@pytest.mark.parametrize(
    ("labels", "asked", "kind", "warned"),
    [
        (soft_set().labels, None, "probabilities", False),
        (soft_set().labels.half(), None, "probabilities", False),
        (F.one_hot(LABELS, 3), None, "hard", False),
        (F.one_hot(LABELS, 3).float(), None, "hard", False),
        (F.one_hot(LABELS, 3).float(), "probabilities", "probabilities", False),
        (SCORES, None, "usual", True),
        (SCORES, "logits", "logits", False),
        (SCORES, "scores", "scores", False),
        (SCORES, "hard", "hard", False),
        (LABELS.double(), None, "hard", False),
    ],
)
def test_soft_labels_are_what_they_say_or_what_is_asked(
    tmp_path: Path, labels: Tensor, asked: str | None, kind: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for path, usual in ((trajectory(tmp_path, labels), "logits"), (archive(tmp_path / "set.npz", images=IMAGES, labels=labels), "scores")):
        caplog.clear()
        found = load(path, label_kind=asked)
        assert found.label_kind == (usual if kind == "usual" else kind)
        assert (f"are read as {usual}" in caplog.text) == warned
        assert found.hard_labels.tolist() == LABELS.tolist()
        assert torch.equal(found.labels, LABELS if kind == "hard" else labels.float())


def test_soft_labels_of_a_dc_file_that_are_no_probabilities_must_be_named(tmp_path: Path) -> None:
    torch.save({"data": [[IMAGES, SCORES]]}, tmp_path / "set.pt")
    with pytest.raises(UserError, match="not probabilities; say whether they are weights, logits or scores"):
        load(tmp_path / "set.pt")
    assert load(tmp_path / "set.pt", label_kind="scores").label_kind == "scores"
    with pytest.raises(UserError, match=r"labels that are weights must be from 0 to 1"):
        load(tmp_path / "set.pt", label_kind="weights")
    with pytest.raises(UserError, match=r"unknown kind of label 'logit'\. Did you mean 'logits'"):
        load(tmp_path / "set.pt", label_kind="logit")
    torch.save({"data": [[IMAGES, LABELS]]}, tmp_path / "set.pt")
    with pytest.raises(UserError, match="has hard labels, not scores"):
        load(tmp_path / "set.pt", label_kind="scores")


def test_images_and_soft_labels_are_put_class_after_class_together(tmp_path: Path) -> None:
    order = torch.tensor([4, 1, 0, 5, 2, 3])
    found = load(trajectory(tmp_path, SCORES[order], images=IMAGES[order]))
    assert found.hard_labels.tolist() == [0, 0, 1, 1, 2, 2]
    back = torch.tensor([1, 0, 2, 3, 4, 5])
    assert same_bits(found.images, IMAGES[back])
    assert same_bits(found.labels, SCORES[back])


def test_a_foreign_set_is_one_like_every_other(tmp_path: Path) -> None:
    found = load(trajectory(tmp_path, SCORES, rate=0.02))
    assert found.origin == replace(found.origin, data="tiny", method="unknown", iterations=0)
    again = DistilledSet.load(found.save(tmp_path / "saved"))
    assert same_bits(again.labels, found.labels)
    assert (again.label_kind, again.learning_rate) == ("logits", 0.02)
