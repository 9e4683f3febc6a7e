from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.data import ClassImages, DataSet
from datastill.data.images import channel_statistics, fingerprint
from datastill.errors import UserError


def images(*counts: int, channels: int = 1, size: tuple[int, int] = (4, 4)) -> ClassImages:
    """Random images, stored in reverse so that rows and positions differ."""
    count = sum(counts)
    pixels = torch.randint(0, 256, (count, channels, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
    return ClassImages(pixels, torch.arange(count - 1, -1, -1), counts)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def data_set(train: ClassImages, mean: tuple[float, ...] = (0.25,), std: tuple[float, ...] = (0.5,)) -> DataSet:
    empty = ClassImages(train.storage, train.rows[:0], (0,) * train.classes)
    return DataSet("made", train, empty, train, tuple("abc"), mean, std, True, "0" * 16)


def test_sizes_labels_and_offsets() -> None:
    split = images(3, 0, 2, channels=3, size=(4, 6))
    assert (len(split), split.classes, split.channels, split.size) == (5, 3, 3, (4, 6))
    assert split.labels.tolist() == [0, 0, 0, 2, 2]
    assert split.offsets == (0, 3, 3, 5)


def test_gather_goes_through_the_rows() -> None:
    split = images(3, 2)
    assert torch.equal(split.gather(torch.tensor([0, 4])), split.storage[[4, 0]])


@pytest.mark.parametrize(("label", "lowest", "highest"), [(0, 0, 4), (1, 5, 7)])
def test_a_draw_stays_in_its_class_without_repeats(label: int, lowest: int, highest: int) -> None:
    drawn = images(5, 3).draw(label, 3, seeded())
    assert len(set(drawn.tolist())) == 3
    assert lowest <= int(drawn.min()) <= int(drawn.max()) <= highest


def test_a_draw_larger_than_its_class_goes_round_evenly() -> None:
    drawn = images(5, 3).draw(1, 8, seeded())
    times = torch.bincount(drawn, minlength=8)[5:]
    assert int(times.sum()) == 8
    assert sorted(times.tolist()) == [2, 3, 3]


def test_a_draw_is_a_function_of_its_generator() -> None:
    split = images(50, 50)
    assert torch.equal(split.draw(1, 10, seeded(1)), split.draw(1, 10, seeded(1)))
    assert not torch.equal(split.draw(1, 10, seeded(1)), split.draw(1, 10, seeded(2)))


def test_a_split_is_disjoint_whole_and_stratified() -> None:
    split = images(20, 5, 1)
    kept, held = split.split(0.2, "test split")
    assert (kept.counts, held.counts) == ((16, 4, 1), (4, 1, 0))
    assert sorted(kept.rows.tolist() + held.rows.tolist()) == sorted(split.rows.tolist())
    before = {row: int(label) for row, label in zip(split.rows.tolist(), split.labels, strict=True)}
    for part in (kept, held):
        assert [before[row] for row in part.rows.tolist()] == part.labels.tolist()


def test_a_split_depends_on_its_purpose_and_the_data_alone() -> None:
    split = images(40)
    assert torch.equal(split.split(0.5, "a")[1].rows, split.split(0.5, "a")[1].rows)
    assert not torch.equal(split.split(0.5, "a")[1].rows, split.split(0.5, "b")[1].rows)


def test_no_fraction_holds_nothing_out() -> None:
    kept, held = images(3, 2).split(0, "validation split")
    assert (kept.counts, held.counts) == ((3, 2), (0, 0))


def test_normalising_and_back() -> None:
    data = data_set(images(2, 2, 2))
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    assert data.normalise(pixels).flatten().tolist() == pytest.approx([-0.5, -0.1, 1.5])
    assert pixels.flatten().tolist() == [0, 51, 255]
    back = data.denormalise(torch.tensor([-0.6, -0.1, 1.5, 1.6]).reshape(1, 1, 1, 4))
    assert back.flatten().tolist() == pytest.approx([0, 0.2, 1, 1])


def test_channels_are_normalised_each_by_its_own() -> None:
    data = data_set(images(1, 1, 1, channels=3), (0.0, 0.5, 1.0), (1.0, 0.5, 0.25))
    values: Tensor = data.normalise(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8))
    assert values.flatten().tolist() == [1, 1, 0]


def test_splits_by_name() -> None:
    data = data_set(images(2, 2, 2))
    assert data.split("train") is data.train
    for name in ("validation", "tset"):
        with pytest.raises(UserError, match=f"no '{name}' split; it has: train, test"):
            data.split(name)


def test_statistics_equal_the_direct_ones_over_many_blocks() -> None:
    split = images(400, 201, channels=3)
    mean, std = channel_statistics(split)
    values = split.storage.double() / 255
    assert mean == pytest.approx(values.mean((0, 2, 3)).tolist(), abs=1e-12)
    assert std == pytest.approx(values.std((0, 2, 3), correction=0).tolist(), abs=1e-9)


def test_constant_images_have_a_deviation_to_divide_by() -> None:
    black = ClassImages(torch.zeros(4, 1, 4, 4, dtype=torch.uint8), torch.arange(4), (2, 2))
    assert channel_statistics(black) == ((0.0,), (1 / 255,))


def test_the_fingerprint_sees_pixels_order_counts_and_names() -> None:
    split = images(3, 3)
    changed = split.storage.clone()
    changed[2, 0, 1, 1] ^= 1
    others = [
        fingerprint(ClassImages(changed, split.rows, split.counts), "ab"),
        fingerprint(ClassImages(split.storage, split.rows.flip(0), split.counts), "ab"),
        fingerprint(ClassImages(split.storage, split.rows, (2, 4)), "ab"),
        fingerprint(split, "ac"),
    ]
    mark = fingerprint(split, "ab")
    assert len({mark, *others}) == 5
    moved = ClassImages(split.storage[split.rows], torch.arange(6), split.counts)
    assert fingerprint(moved, "ab") == mark


def test_some_classes_keep_their_images_in_every_split_and_their_normalisation() -> None:
    whole = data_set(images(3, 4, 2))
    some = whole.only(["c", 1])
    assert (some.name, some.source, some.class_names, some.train.counts) == ("made[2,1]", "made", ("c", "b"), (2, 4))
    assert torch.equal(some.train.gather(torch.arange(6)), whole.train.gather(torch.tensor([7, 8, 3, 4, 5, 6])))
    assert (len(some.validation), len(some.test)) == (0, 6)
    assert (some.mean, some.std) == (whole.mean, whole.std)
    assert some.fingerprint != whole.fingerprint


@pytest.mark.parametrize(
    ("classes", "said"),
    [([0], "at least two different"), ([1, "b"], "at least two"), (["d", "a"], "unknown class of made"), ([0, 3], "0 to 2")],
)
def test_a_choice_of_classes_is_checked(classes: list[int | str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        data_set(images(3, 4, 2)).only(classes)
