from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.distilled.formats import export
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import evaluate, evaluate_across, random_subset, resolve
from datastill.evaluation.scorer import training_cost
from quick_evaluation import QUICK, quick
from tiny_sets import data_set, distilled_set


def test_rendering_and_random_subset_are_trained_in_the_same_way(data: DataSet) -> None:
    content = distilled_set()
    result = quick(content, data, compare=("rendering", "random"), repeats=2)
    assert list(result.comparisons) == ["rendering", "random"]
    rendered = quick(content.rendered(), data, repeats=2)
    assert result.comparisons["rendering"].describe() == rendered.score.describe()
    images, labels = random_subset(data, content.labels, seed=0)
    chosen = quick(replace(content, images=images, labels=labels), data, repeats=2)
    assert result.comparisons["random"].describe() == chosen.score.describe()
    assert set(result.describe()["comparisons"]) == {"rendering", "random"}


def test_the_random_subset_is_real_distinct_and_of_the_same_size(data: DataSet) -> None:
    labels = torch.tensor([2, 0, 0, 2, 2])
    images, drawn = random_subset(data, labels, seed=4)
    assert drawn.tolist() == [0, 0, 2, 2, 2]
    training = data.normalise(data.train.images)
    found = [(training == image).flatten(1).all(1).nonzero().item() for image in images]
    assert len(set(found)) == 5
    assert [int(data.train.labels[int(row)]) for row in found] == drawn.tolist()
    assert torch.equal(random_subset(data, labels, seed=4)[0], images)
    assert not torch.equal(random_subset(data, labels, seed=5)[0], images)


def test_networks_are_trained_on_the_parts_of_a_partitioned_set(tmp_path: Path) -> None:
    data, content = data_set(size=(8, 8)), distilled_set(size=(8, 8), factor=2)
    result = quick(content, data, compare=("rendering", "random"), repeats=2)
    assert (result.images, result.trained_on) == (6, 24)
    assert (result.describe()["images"], result.describe()["trained_on"]) == (6, 24)
    assert quick(distilled_set(size=(8, 8)), data).describe()["trained_on"] == 6
    plain = quick(content.of_parts(), data, compare=("rendering",), repeats=2)
    assert result.score.describe() == plain.score.describe()
    exported = quick(export(content, tmp_path / "set.pt", "dc"), data, repeats=2)
    assert exported.score.describe() == plain.score.describe()
    rendered = quick(content.rendered().of_parts(), data, repeats=2)
    assert result.comparisons["rendering"].describe() == rendered.score.describe()
    # what it is compared with takes as much room: as many real images as are stored
    images, labels = random_subset(data, content.labels, seed=0)
    chosen = quick(DistilledSet(images, labels, replace(content.origin, factor=1)), data, repeats=2)
    assert len(images) == 6
    assert result.comparisons["random"].describe() == chosen.score.describe()


def test_each_kind_of_network_gets_the_figures_it_gets_alone(data: DataSet) -> None:
    content, protocol = distilled_set(), Protocol("alexnet", epochs=2, augment=False)
    found = evaluate_across(
        content, ("vgg11", "convnet"), data=data, repeats=2, seed=3, split="validation", compare=("random",), protocol=protocol,
        engine=Engine(),
    )  # fmt: skip
    assert list(found) == ["vgg11", "convnet"]
    for name, result in found.items():
        alone = evaluate(
            content, data=data, repeats=2, seed=3, split="validation", compare=("random",), protocol=replace(protocol, network=name),
            engine=Engine(),
        )  # fmt: skip
        assert result.describe() == alone.describe()
        assert result.protocol == replace(protocol, network=name)


def test_the_kinds_are_those_of_the_papers_unless_named(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    result = quick(distilled_set(), data)
    monkeypatch.setattr(sys.modules["datastill.evaluation.evaluate"], "evaluate", lambda *arguments, **options: result)
    assert list(evaluate_across(distilled_set(), data=data)) == ["convnet", "alexnet", "vgg11", "resnet18"]


@pytest.mark.parametrize(
    ("networks", "said"),
    [
        (("convnet", "convnet"), "expected different networks, got 'convnet,convnet'"),
        ((), "expected different networks, got ''"),
        (("convnet", "vgg"), r"unknown network 'vgg'\. Did you mean 'vgg11'"),
    ],
)
def test_kinds_that_are_no_table_are_refused_before_anything_is_read(networks: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        evaluate_across(Path("nowhere"), networks)


def test_each_kind_is_run_as_suits_it(data: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def suited(engine: Engine, cost: float) -> Engine:
        asked.append(cost)
        return engine

    monkeypatch.setattr(Engine, "suited", suited)
    evaluate_across(distilled_set(), ("convnet", "alexnet"), data=data, repeats=1, protocol=QUICK, engine=Engine())
    assert asked == [training_cost(data, replace(QUICK, network=name), 6) for name in ("convnet", "alexnet")]


def test_test_and_validation_are_different_images(data: DataSet) -> None:
    content = distilled_set()
    for split, counts in (("test", [18, 15, 12]), ("validation", [12, 10, 8])):
        result = evaluate(content, data=data, split=split, compare=(), repeats=1, protocol=QUICK, engine=Engine())
        assert result.split == split
        assert result.score.confusion.sum(1).tolist() == counts


def test_test_images_are_normalised_as_the_set_is(data: DataSet) -> None:
    content = distilled_set()
    other = replace(data, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    _, resolved = resolve(content, other)
    assert (resolved.mean, resolved.std) == (content.origin.mean, content.origin.std)
    assert resolve(content, data)[1] is data
    assert quick(content, other).score.describe() == quick(content, data).score.describe()


def test_another_training_split_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from datastill import load

    digits = load("digits", validation=0.2)
    origin = replace(
        distilled_set(channels=1).origin, data="digits", class_names=digits.class_names, mean=digits.mean, std=digits.std,
        fingerprint=digits.fingerprint,
    )  # fmt: skip
    DistilledSet(torch.zeros(10, 1, 8, 8), torch.arange(10), origin).save(tmp_path)
    with caplog.at_level(logging.WARNING):
        _, data = resolve(tmp_path, None)
    assert "another training split of digits" in caplog.text
    assert data.mean == digits.mean
    caplog.clear()
    DistilledSet(torch.zeros(10, 1, 8, 8), torch.arange(10), replace(origin, fingerprint=data.fingerprint)).save(tmp_path)
    resolve(tmp_path, None)
    assert "another training split" not in caplog.text


def test_a_path_a_folder_and_a_tensor_file_are_read(tmp_path: Path, data: DataSet) -> None:
    content = distilled_set()
    content.save(tmp_path / "run.pt" / "distilled")  # a folder may be called anything
    torch.save({"data": [[content.images, content.labels]]}, tmp_path / "set.pt")
    expected = quick(content, data).score.describe()
    assert quick(tmp_path / "run.pt", data).score.describe() == expected
    assert quick(tmp_path / "set.pt", data).score.describe() == expected


def test_unknown_names_are_answered_with_the_nearest(data: DataSet) -> None:
    with pytest.raises(UserError, match=r"unknown network 'convnt'\. Did you mean 'convnet'\? Known: convnet, alexnet, vgg11, resnet18"):
        evaluate(distilled_set(), network="convnt", data=data)
    with pytest.raises(UserError, match=r"unknown comparison 'randm'\. Did you mean 'random'"):
        evaluate(distilled_set(), compare=("randm",), data=data)
    with pytest.raises(UserError, match="no 'trial' split; it has: train, validation, test"):
        evaluate(distilled_set(), split="trial", data=data)


@pytest.mark.parametrize(
    ("content", "renamed"),
    [
        (distilled_set(size=(8, 8)), ""),
        (distilled_set(channels=1), ""),
        (distilled_set(("cat", "dog")), ""),
        (distilled_set(("cat", "dog", "c")), "; its class 'ship' is 'c' in the set"),
    ],
)
def test_a_set_that_does_not_fit_the_data_is_refused(content: DistilledSet, renamed: str, data: DataSet) -> None:
    with pytest.raises(UserError, match=rf"does not fit the data set tiny \(3 classes, images \(3, 8, 6\){renamed}\); give .* with `data`"):
        evaluate(content, data=data)


def test_a_tensor_file_needs_the_name_of_its_data(tmp_path: Path) -> None:
    content = distilled_set()
    torch.save({"data": [[content.images, content.labels]]}, tmp_path / "set.pt")
    with pytest.raises(UserError, match=r"set\.pt does not say what it was distilled from: give it with `data`"):
        evaluate(tmp_path / "set.pt")


def test_an_empty_validation_split_is_refused(data: DataSet) -> None:
    empty = replace(data, validation=replace(data.validation, rows=torch.empty(0, dtype=torch.int64), counts=(0, 0, 0)))
    with pytest.raises(UserError, match="no 'validation' split; it has: train, test"):
        evaluate(distilled_set(), data=empty, split="validation")


def test_numbers_below_one_are_refused(data: DataSet) -> None:
    with pytest.raises(UserError, match="`repeats` must be a whole number of at least 1, got 0"):
        evaluate(distilled_set(), repeats=0, data=data)
    with pytest.raises(UserError, match="at least 1 epoch, got 0"):
        Protocol(epochs=0)
