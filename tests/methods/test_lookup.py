"""Published values depend on the data set and the IPC: a method never takes those of another one along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from datastill.errors import UserError
from datastill.methods import METHODS, Method, check_lookup, method, resolved
from datastill.runs.distill import distill
from datastill.setting import PRESETS
from datastill.terms import CovarianceMatching
from small_methods import matching
from tiny_sets import data_set

TINY = data_set()
CIFAR10 = replace(TINY, name="cifar10[0-2]")


def test_a_method_for_another_ipc_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    composed = method("dm+iid", ipc=10, preset="code")
    with pytest.raises(UserError) as refused:
        distill("digits", method=composed, ipc=50, iterations=1, out=tmp_path / "run")
    assert "values for digits of 8 pixels with 10 classes at IPC 10, not for digits of 8 pixels with 10 classes at IPC 50" in str(
        refused.value
    )
    assert "cc.weight is 0.05, would be 0.003" in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [*METHODS, "dm+iid", "idm+cc", "mtt+cm"])
def test_a_method_without_data_takes_the_values_of_what_it_distils(name: str, preset: str) -> None:
    for data, ipc in ((TINY, 1), (TINY, 50), (CIFAR10, 1), (CIFAR10, 100)):
        fitting = method(name, data=data, ipc=ipc, preset=preset)
        for open in (method(name, preset=preset), method(name, data=data, preset=preset), method(name, ipc=ipc, preset=preset)):
            found = resolved(open, data, ipc)
            assert (found, found.lookup) == (fitting, fitting.lookup)


def test_a_run_has_the_values_of_its_data_and_ipc(tmp_path: Path) -> None:
    distill("digits", method=method("dm+cc", preset="code", settings=["real_batch=4"]), ipc=50, iterations=1, out=tmp_path / "run")
    distill("digits", method="dm+cc", preset="code", settings=["real_batch=4"], ipc=50, iterations=1, out=tmp_path / "named")
    configs = [(tmp_path / name / "config.yaml").read_text() for name in ("run", "named")]
    assert [config.partition("method:")[2].partition("\nseed:")[0] for config in configs] == [
        configs[1].partition("method:")[2].partition("\nseed:")[0]
    ] * 2
    assert "weight: 0.003" in configs[0]


def test_what_was_set_by_hand_is_kept_and_the_rest_is_looked_up() -> None:
    open = matching("dm+cc", preset="code")
    changed = replace(open, momentum=0.9)
    assert resolved(changed, CIFAR10, 50) == replace(matching("dm+cc", data=CIFAR10, ipc=50, preset="code"), momentum=0.9)
    own = matching("dm+cc", preset="code", settings=["cc.weight=0.05"])  # the value that it has anyway, but said
    assert resolved(own, CIFAR10, 50).describe()["terms"]["cc"]["weight"] == 0.05
    more = open + CovarianceMatching(weight=0.5)
    assert resolved(more, CIFAR10, 50) == matching("dm+cc", data=CIFAR10, ipc=50, preset="code") + CovarianceMatching(weight=0.5)
    free = replace(open, lookup=None)
    assert resolved(free, CIFAR10, 50) is free


def test_what_was_said_is_not_looked_up_again() -> None:
    with pytest.raises(UserError, match=r"values for cifar10 .* at IPC 10, not for cifar10 .* at IPC 50"):
        resolved(method("dm+cc", ipc=10, preset="code"), CIFAR10, 50)
    with pytest.raises(UserError, match=r"learning_rate is 1\.0, would be 10\.0"):
        resolved(method("dm", data="digits"), CIFAR10, 100)


def test_the_refusal_says_a_call_that_composes_what_fits() -> None:
    composed = method("dm+cc", preset="code", settings=["real_batch=16"])
    with pytest.raises(UserError) as refused:
        check_lookup(composed, CIFAR10, 50)
    call = str(refused.value).rpartition("compose it with ")[2]
    assert call == "datastill.method(\"dm+cc\", data=datastill.load(\"cifar10[0-2]\"), ipc=50, preset='code', settings=['real_batch=16'])"
    fitting = matching("dm+cc", data=CIFAR10, ipc=50, preset="code", settings=["real_batch=16"])
    check_lookup(fitting, CIFAR10, 50)
    assert (fitting.terms[1].weight, fitting.real_batch) == (0.003, 16)
    with pytest.raises(UserError, match="data=data, ipc=50"):
        check_lookup(composed, TINY, 50)


def test_the_data_set_counts_as_much_as_the_ipc() -> None:
    with pytest.raises(UserError, match=r"\(learning_rate is 1\.0, would be 10\.0\)"):
        check_lookup(method("dm", ipc=100), CIFAR10, 100)
    with pytest.raises(UserError, match=r"matching\.push_every is 30, would be 5; real_batch is 256, would be 5000"):
        check_lookup(method("idm", ipc=1), CIFAR10, 1)
    assert [matching("dm", data=data, ipc=100).learning_rate for data in (CIFAR10, "cifar10[0-4]", "cifar10@16", "svhn")] == [10, 10, 10, 1]
    with pytest.raises(UserError, match=r"unknown data set 'cifar01'\. Did you mean 'cifar10'"):
        method("dm", data="cifar01")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_accepted_only_with_the_values_of_what_it_distils(name: str, preset: str) -> None:
    for data, ipc in ((TINY, 1), (TINY, 50), (CIFAR10, 1), (CIFAR10, 100)):
        fitting, other = method(name, data=data, ipc=ipc, preset=preset), method(name, preset=preset)
        check_lookup(fitting, data, ipc)
        if other == fitting:
            check_lookup(other, data, ipc)
        else:
            with pytest.raises(UserError, match="would be"):
                check_lookup(other, data, ipc)


@pytest.mark.parametrize(
    "own",
    [
        method("dm", ipc=100, settings=["learning_rate=3"]),
        replace(matching("dm", ipc=100), learning_rate=3.0),
        replace(matching("dm", ipc=100), lookup=None),
    ],
)
def test_values_of_ones_own_are_kept(own: Method) -> None:
    check_lookup(own, CIFAR10, 100)


def test_a_term_that_is_added_later_leaves_the_others_to_be_checked() -> None:
    composed = method("dm+cc", preset="code", settings=["pretrained.network=convnet"]) + CovarianceMatching(weight=0.5)
    check_lookup(composed, CIFAR10, 5)
    with pytest.raises(UserError, match=r"the method dm\+cc\+cm has .*cc\.weight is 0\.05"):
        check_lookup(composed, CIFAR10, 11)


def test_what_it_was_looked_up_by_is_no_part_of_what_a_method_is() -> None:
    one, other = method("dm", ipc=1), method("dm", ipc=2)
    assert one.lookup != other.lookup
    assert (one, one.describe()) == (other, other.describe())
    assert "lookup" not in {**one.describe()}
