"""What a method refuses before anything is written, beyond the tests of its grammar."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
import yaml
from torch import Tensor

from datastill import Term, UserError
from datastill.data import ClassImages, DataSet
from datastill.encoders import RECIPES, FreshNetwork, NetworkQueue, PretrainedPool
from datastill.methods import METHODS, DistributionMatching
from datastill.methods import method as any_method
from datastill.networks import Features
from datastill.runs.configuration import plain
from datastill.terms import ClassCentralization, CovarianceMatching, MeanMatching, Target
from small_methods import matching as method
from small_methods import opened, small
from small_terms import Brightness


@dataclass(frozen=True)
class Unsummed(Term):
    """A term whose author forgot to sum over classes."""

    name = "unsummed"
    summary = "one value a class"
    reads = ("embedding",)

    def target(self, real: Features) -> Target:
        return {"mean": real.embedding.mean(1)}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        return (target["mean"] - synthetic.embedding.mean(1)).square().sum(1)


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
    method("dm+cc", settings=["matching.every=2", "pretrained.every=1", "balance=0"]).check(tiny, 2)
    with pytest.raises(UserError, match=r"every must be at least 1 .* got 0"):
        method("dm+cc", settings=["pretrained.every=0"])


@pytest.mark.parametrize("value", ["1", "-0.1", "nan"])
def test_an_average_over_everything_is_refused(value: str) -> None:
    with pytest.raises(UserError, match="averaging in"):
        method("dm", settings=[f"averaging={value}"])


def test_a_weight_that_is_no_number_is_refused() -> None:
    with pytest.raises(UserError, match="weight of the term 'cm' must be a finite number, got nan"):
        method("dm+cm", settings=["cm.weight=nan"])


@pytest.mark.parametrize(("name", "term"), [("dm+cm", "cm"), ("m3d", "km"), ("idm+km", "km")])
def test_a_term_that_needs_two_real_images_is_refused_one_before_the_first_step(tiny: DataSet, name: str, term: str) -> None:
    said = (
        rf"'{term}' needs at least 2 real images per class and step, but the real batch is {{}} and the smallest class has {{}}: use more"
    )
    with pytest.raises(UserError, match=said.format(1, 12)):
        method(name, settings=["real_batch=1"]).check(tiny, 2)
    method(name, settings=["real_batch=2"]).check(tiny, 2)
    single = replace(tiny, train=ClassImages(tiny.train.storage, torch.tensor([*range(12), 12, *range(24, 36)]), (12, 1, 12)))
    with pytest.raises(UserError, match=said.format(256, 1)):
        method(name, settings=["initialisation=noise", "real_batch=256"]).check(single, 2)


def test_one_real_image_is_enough_for_the_others(tiny: DataSet) -> None:
    for name in ("dm", "idm", "datadam", "cafe", "dm+cc"):  # dm+cc needs two synthetic images, and compares none
        method(name, settings=["real_batch=1"]).check(tiny, 2)


def test_a_method_without_terms_is_refused(tiny: DataSet) -> None:
    with pytest.raises(UserError, match=r"bare has no terms, so there is nothing to minimise: add one, such as MeanMatching\(\)"):
        DistributionMatching(name="bare").check(tiny, 2)
    (DistributionMatching(name="bare") + MeanMatching()).check(tiny, 2)


def test_views_that_are_all_the_same_are_refused_and_the_advice_works(tiny: DataSet) -> None:
    with pytest.raises(UserError, match="cafe does not augment, so the 4 views of an image would all be the same: use `augment=true`"):
        method("cafe", settings=["views=4"]).check(tiny, 2)
    for settings in (["views=4", "augment=true"], ["augment=true", "views=4"]):
        method("cafe", settings=settings).check(tiny, 2)


def test_what_compares_classes_cannot_step_after_each_of_them_and_the_advice_works(tiny: DataSet) -> None:
    said = r"'dl' compares classes with each other, but idm\+dl steps after each class: leave out \+dl, or use `by_class=false`"
    with pytest.raises(UserError, match=said):
        method("idm+dl").check(tiny, 2)
    method("idm+dl", settings=["by_class=false"]).check(tiny, 2)
    with pytest.raises(UserError, match="cafe steps after each class"):
        method("cafe", settings=["by_class=true"]).check(tiny, 2)


@pytest.mark.parametrize("value", ["0", "-5", "10,0"])
def test_a_learning_rate_halved_before_the_first_iteration_is_refused(value: str) -> None:
    with pytest.raises(UserError, match=rf"dm halves its learning rate at iterations from 1 on, got \(.*{value.split(',')[-1]}"):
        method("dm", settings=[f"halve_at={value}"])


def test_a_name_of_the_metrics_is_refused() -> None:
    with pytest.raises(UserError, match="a term cannot be called 'loss'"):
        method("dm") + Loss()


def test_a_term_that_is_no_scalar_is_named(tiny: DataSet) -> None:
    from datastill.engine import Engine

    stepper = (method("dm", settings=["real_batch=2"]) + Unsummed()).open(tiny, Engine(), 2, 0)
    with pytest.raises(UserError, match=r"the term 'unsummed' must return a scalar, but returned a tensor of shape \(3,\)"):
        stepper.step(0)


def test_steps_by_class_do_not_go_with_batch_norm_over_all_classes(tiny: DataSet) -> None:
    name = "matching.network=convnet-bn"
    with pytest.raises(UserError, match="all classes go through convnet-bn together, but idm steps after each class"):
        method("idm", settings=[name]).check(tiny, 2)
    method("idm", settings=[name, "by_class=false"]).check(tiny, 2)
    method("idm+cc", settings=["pretrained.network=convnet-bn"]).check(tiny, 2)  # in evaluation mode images are apart


@pytest.mark.parametrize("term", ["cc", "cm"])
def test_a_constraint_at_one_image_a_class_says_what_to_do(tiny: DataSet, term: str) -> None:
    composed = small(f"dm+{term}")
    said = rf"'{term}' needs at least 2 images per class, but IPC is 1: use `ipc=2` or more, .* \(`views=4`\), or leave out \+{term}"
    with pytest.raises(UserError, match=said):
        composed.check(tiny, 1)
    composed.check(tiny, 2)
    small("dm").check(tiny, 1)


def test_a_class_with_too_few_images_is_named_and_noise_needs_none(tiny: DataSet) -> None:
    few = replace(tiny, train=ClassImages(tiny.train.storage, torch.tensor([*range(12), 12, 13, *range(24, 36)]), (12, 2, 12)))
    with pytest.raises(
        UserError,
        match="the class 'middle' has 2 training images, fewer than IPC 3: use `initialisation=augmented`"
        " for changed copies of its images, `ipc=2` or less, or `initialisation=noise`",
    ):
        small("dm").check(few, 3)
    small("dm").check(few, 2)
    noise = small("dm", initialisation="noise")
    noise.check(few, 3)
    stepper = opened(noise, few, ipc=3)  # the two images of the class go round to fill its batch
    assert stepper.step(0)["loss"] > 0


def test_a_method_is_left_as_it_is_by_adding_to_it() -> None:
    base = small("dm")
    assert [term.name for term in (base + Brightness()).terms] == ["mm", "bright"]
    assert [term.name for term in base.terms] == ["mm"]


class FromTeacher(Brightness):
    encoder = "teacher"


class Misspelt(Brightness):
    reads = ("map", "embeddings")


@pytest.mark.parametrize("term", [FromTeacher(), Misspelt()])
def test_a_term_that_reads_what_there_is_not_is_refused(term: Term) -> None:
    with pytest.raises(UserError, match=r"the term 'bright' reads .* has the encoders matching, pretrained, and features have blocks, map"):
        small("dm") + term


def test_the_description_is_plain_and_names_the_encoders_in_use() -> None:
    described = small("dm+iid").describe()
    assert yaml.safe_load(yaml.safe_dump(plain(described))) == plain(described)
    assert described["terms"]["cc"]["form"] == "relative"
    assert set(described["encoders"]) == {"matching", "pretrained"}
    assert described["encoders"]["pretrained"]["recipe"]["epochs"] == 1
    assert set(small("dm+cm").describe()["encoders"]) == {"matching"}


def test_the_work_of_a_step_grows_as_its_images_do(tiny: DataSet) -> None:
    per_image = replace(small("dm"), real_batch=1).cost(tiny, 1) / (3 * (2 + 1))
    assert small("dm").cost(tiny, 5) == pytest.approx(per_image * 3 * (2 * 5 + 7))
    assert small("dm+cm").cost(tiny, 5) == small("dm").cost(tiny, 5)
    assert small("dm+cc").cost(tiny, 5) == pytest.approx(per_image * 3 * (2 * 5 + 7 + 2 * 5))  # a ConvNet too, synthetic images only
    # the convolutions of a ConvNet on 8x8 by hand, two operations a product: 3 and 128 channels in, 128 out; then 512 x 3 logits
    assert per_image == 2 * (64 * 27 * 128 + 16 * 1152 * 128 + 512 * 3)


def test_a_composition_declares_no_encoder_that_it_does_not_read() -> None:
    assert DistributionMatching(name="bare").encoders == {"matching": FreshNetwork("convnet")}
    for base in (name for name in METHODS if any_method(name).kind == DistributionMatching.kind):
        assert set(method(base).encoders) == {term.encoder for term in method(base).terms}


def test_a_term_brings_its_encoder_to_a_composition_that_has_none_of_that_name() -> None:
    added = small_composition() + ClassCentralization()
    assert added.encoders == {"matching": QUEUE, "pretrained": PretrainedPool("resnet18")}
    given = DistributionMatching("mine", (MeanMatching(), ClassCentralization()), {"matching": QUEUE})
    assert given.encoders == added.encoders
    own = PretrainedPool("convnet", count=2)
    assert (DistributionMatching("mine", (), {"matching": QUEUE, "pretrained": own}) + ClassCentralization()).encoders["pretrained"] == own


def test_a_method_says_what_it_wants_of_what_is_added() -> None:
    demanding = replace(small_composition(), wants={"cc": {"weight": 0.2}, "pretrained": {"most": 3}})
    assert demanding.with_term(ClassCentralization(alpha=0.1)).terms[-1] == ClassCentralization(weight=0.2, alpha=0.1)
    assert (demanding + ClassCentralization(alpha=0.1)).terms[-1] == ClassCentralization(alpha=0.1)
    for composed in (demanding.with_term(ClassCentralization()), demanding + ClassCentralization()):
        assert composed.encoders["pretrained"] == PretrainedPool("resnet18", most=3)
    with pytest.raises(UserError, match=r"mine wants {'wait': 1} of 'cc', which does not have all of these fields"):
        replace(demanding, wants={"cc": {"wait": 1}}).with_term(ClassCentralization())
    assert demanding == small_composition()  # what came of it counts, and until something is added nothing did


QUEUE = NetworkQueue("convnet", first=2, steps=1, batch=32)


def small_composition() -> DistributionMatching:
    """What the documentation writes as a method of one's own."""
    return DistributionMatching("mine", (MeanMatching(), CovarianceMatching(weight=0.02)), {"matching": QUEUE}, real_batch=32, factor=2)
