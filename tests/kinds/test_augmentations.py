"""How every kind that augments is told to."""

from __future__ import annotations

import pytest

from datastill import UserError
from datastill.configuration import describe, restore
from datastill.encoders import GrowingNetwork
from datastill.kinds import Method
from datastill.methods import method

every = pytest.mark.parametrize("name", ["dm", "idm", "dsa", "mtt"])


@every
def test_it_is_described_only_if_it_is_not_that_of_dsa(name: str) -> None:
    usual, other = method(name), method(name, settings=("augmentation=idc",))
    assert "augmentation" not in describe(usual)
    assert describe(other) == {**describe(usual), "augmentation": "idc"}
    assert restore(describe(other), Method) == other  # type: ignore[type-abstract]  # it makes a concrete one


@every
def test_an_unknown_one_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"unknown augmentation 'simclr'. Known: dsa, idc"):
        method(name, settings=("augmentation=simclr",))


@pytest.mark.parametrize("name", ["dm", "dc", "mtt"])
def test_one_that_would_do_nothing_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"{name} does not augment, so `augmentation=idc` would do nothing: use `augment=true`"):
        method(name, settings=("augment=no", "augmentation=idc"))
    assert method(name, settings=("augment=no",))


def test_a_network_that_is_trained_on_the_images_has_one_of_its_own() -> None:
    with pytest.raises(UserError, match="the network does not augment"):
        GrowingNetwork("convnet", augmentation="idc")
    assert GrowingNetwork("convnet", augment=True, augmentation="idc")


def test_dance_has_that_of_its_code_with_the_preset_of_that_name() -> None:
    assert [getattr(method("dance", preset=preset), "augmentation", "") for preset in ("code", "paper", "fast")] == ["idc", "dsa", "dsa"]
