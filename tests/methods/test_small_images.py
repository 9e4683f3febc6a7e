"""Which network a term brings for small images, and that tables published before stay as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import datastill
from datastill.data import ClassImages, DataSet
from datastill.encoders import PretrainedPool
from datastill.errors import UserError
from datastill.experiments import EXPERIMENTS
from datastill.experiments.cell import Cell
from datastill.experiments.tables import compose
from datastill.methods import check_lookup
from small_methods import matching


def of_size(data: DataSet, side: int) -> DataSet:
    """The same data set with black images of another size."""
    size = (side, 2 * side)
    train, validation, test = (
        ClassImages(torch.zeros(len(split.storage), 3, *size, dtype=torch.uint8), split.rows, split.counts)
        for split in (data.train, data.validation, data.test)
    )
    return replace(data, train=train, validation=validation, test=test)


@pytest.mark.parametrize(("side", "network"), [(8, "convnet"), (15, "convnet"), (16, "resnet18"), (32, "resnet18")])
@pytest.mark.parametrize("name", ["dm+cc", "m3d+iid", "idm+cc"])
def test_a_pretrained_network_suits_the_size_of_the_images(tiny: DataSet, side: int, network: str, name: str) -> None:
    pool = matching(name, data=of_size(tiny, side), ipc=2, preset="fast").encoders["pretrained"]
    assert isinstance(pool, PretrainedPool)
    assert pool.network == network
    assert pool.most == (2 if name == "idm+cc" else 0)  # what the method wants holds for either


def test_where_nothing_is_known_of_the_images_it_is_that_of_the_paper(tiny: DataSet) -> None:
    composed = matching("dm+cc")
    assert composed.encoders["pretrained"].network == "resnet18"
    assert (composed + datastill.method("dm+cm").terms[-1]).encoders["pretrained"].network == "resnet18"  # type: ignore[attr-defined]
    check_lookup(composed, replace(tiny, name="digits", train=of_size(tiny, 16).train), 10)
    with pytest.raises(UserError, match=r"pretrained\.network is resnet18, would be convnet"):
        check_lookup(composed, replace(tiny, name="digits"), 10)


def test_it_can_be_set(tiny: DataSet) -> None:
    assert matching("dm+cc", data=tiny, settings=["pretrained.network=vgg11"]).encoders["pretrained"].network == "vgg11"


def test_tables_that_were_published_keep_their_network(tiny: DataSet) -> None:
    cells = [cell for name, experiment in EXPERIMENTS.items() for cell in experiment.cells(name, EXPERIMENTS) if isinstance(cell, Cell)]
    earlier = [cell for cell in cells if not cell.name.startswith("sets-digits/")]
    reading = [cell for cell in earlier if {"cc", "iid"} & set(cell.method.split("+")) and "pretrained.network" not in str(cell.settings)]
    assert len(reading) > 20
    digits = next(cell for cell in reading if cell.data == "digits")
    data = replace(tiny, name="digits")
    assert compose(digits, data).encoders["pretrained"].network == "resnet18"  # type: ignore[attr-defined]
    assert compose(replace(digits, by_size=True), data).encoders["pretrained"].network == "convnet"  # type: ignore[attr-defined]
    assert not any(cell.by_size for cell in reading)
