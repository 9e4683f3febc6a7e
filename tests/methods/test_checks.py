"""What a method refuses before anything is written, beyond the tests of its grammar."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from torch import Tensor

from datastill.data import DataSet
from datastill.encoders import RECIPES, PretrainedPool
from datastill.errors import UserError
from datastill.methods import DistributionMatching, method
from datastill.networks import Features
from datastill.terms import MeanMatching, Term


@dataclass(frozen=True)
class Unsummed(Term):
    """A term whose author forgot to sum over classes."""

    name = "unsummed"
    summary = "one value a class"
    reads = ("embedding",)

    def __call__(self, real: Features, synthetic: Features) -> Tensor:
        return (real.embedding.mean(1) - synthetic.embedding.mean(1)).square().sum(1)


@dataclass(frozen=True)
class Loss(MeanMatching):
    """A term whose name is a column of the metrics already."""

    name = "loss"


def pool(composed: DistributionMatching) -> PretrainedPool:
    encoder = composed.encoders["pretrained"]
    assert isinstance(encoder, PretrainedPool)
    return encoder


def test_the_recipe_of_the_pool_is_a_setting() -> None:
    assert pool(method("dm+cc", settings=["pretrained.recipe=paper"])).recipe == RECIPES["paper"]
    assert pool(method("dm+cc", settings=["pretrained.recipe.epochs=3"])).recipe == replace(RECIPES["fast"], epochs=3)
    with pytest.raises(UserError, match=r"unknown recipe 'papr'\. Did you mean 'paper'"):
        method("dm+cc", settings=["pretrained.recipe=papr"])


@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1"])
def test_a_learning_rate_that_cannot_work_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="learning rate above 0"):
        method("dm", settings=[f"learning_rate={value}"])


def test_a_method_that_would_do_nothing_at_some_iterations_is_refused(tiny: DataSet) -> None:
    assert method("dm+cc", settings=["pretrained.every=4"]).encoders["pretrained"].every == 4
    with pytest.raises(UserError, match="dm needs a term at every iteration"):
        method("dm", settings=["matching.every=2"]).check(tiny, 2)
    method("dm+cc", settings=["matching.every=2", "pretrained.every=1"]).check(tiny, 2)
    with pytest.raises(UserError, match=r"every must be at least 1 .* got 0"):
        method("dm+cc", settings=["pretrained.every=0"])


@pytest.mark.parametrize("value", ["1", "-0.1", "nan"])
def test_an_average_over_everything_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="averaging in"):
        method("dm", settings=[f"averaging={value}"])


def test_a_weight_that_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match="weight of the term 'cm' must be a finite number, got nan"):
        method("dm+cm", settings=["cm.weight=nan"])


def test_a_covariance_of_one_real_image_is_refused_before_the_first_step(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="needs at least 2 real images per class and step, but the real batch is 1"):
        method("dm+cm", settings=["real_batch=1"]).check(tiny, 2)


def test_a_name_of_the_metrics_is_refused() -> None:
    with pytest.raises(UserError, match="a term cannot be called 'loss'"):
        method("dm") + Loss()


def test_a_term_that_is_no_scalar_is_named(tiny: DataSet) -> None:
    from datastill.engine import Engine

    stepper = (method("dm", settings=["real_batch=2"]) + Unsummed()).open(tiny, Engine(), 2, 0)
    with pytest.raises(UserError, match=r"the term 'unsummed' must return a scalar, but returned a tensor of shape \(3,\)"):
        stepper.step(0)
