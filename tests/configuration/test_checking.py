from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest
import torch

from datastill.configuration import check_fields, number, seed, whole
from datastill.encoders import FreshNetwork, GrowingNetwork, NetworkQueue, PretrainedPool
from datastill.engine import Engine, Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.teachers.recipe import TrainingRecipe

NONE_OF_THEM: tuple[Any, ...] = ("3", None, True, np.True_, [3], float("nan"), 1j, torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize("value", [*NONE_OF_THEM, 2.9, 3.0, np.float64(3), float("inf")])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"^`ipc` must be a whole number of at least 1, got "):
        whole("ipc", value, least=1)


def test_whole_numbers_of_numpy_are_those_of_python() -> None:
    found = whole("ipc", np.int64(3), least=3, most=3)
    assert found == 3
    assert type(found) is int
    for value in (2, 4):
        with pytest.raises(UserError, match=f"`ipc` must be a whole number from 3 to 3, got {value}"):
            whole("ipc", value, least=3, most=3)


@pytest.mark.parametrize("value", [*NONE_OF_THEM, float("inf"), -1, -1e-9, 1.5])
def test_what_is_no_number_within_bounds_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match=r"^`share` must be a finite number from 0 to 1, got "):
        number("share", value, least=0, most=1)
    assert number("share", np.float32(0.5), least=0, most=1) == 0.5
    assert type(number("share", 1)) is float


def test_seeds_have_64_bits() -> None:
    for value in (-(2**63), 0, 2**63 - 1):
        assert seed(value) == value
    for value in (-(2**63) - 1, 2**63, 10**5000):
        with pytest.raises(UserError, match="`seed` must be a whole number of 64 bits"):
            seed(value)
    for odd in (7.9, "7", True):
        with pytest.raises(UserError, match="`seed` must be a whole number, got"):
            seed(odd)


@dataclass
class Inner:
    share: float = 0.5


@dataclass
class Outer:
    count: int = 1
    name: str = "x"
    flag: bool = True
    maybe: int | None = None
    form: Literal["a", "b"] = "a"
    scales: tuple[float, ...] = (1, 0.5)
    pair: tuple[int, str] = (1, "a")
    inner: Inner = field(default_factory=Inner)
    by_name: Mapping[str, Inner] = field(default_factory=lambda: {"one": Inner()})
    several: tuple[Inner, ...] = (Inner(),)
    anything: object = None


def test_fields_of_their_types_are_taken() -> None:
    check_fields(Outer())
    of_numpy: dict[str, Any] = {"count": np.int64(3), "scales": (np.float32(1), 2)}
    check_fields(Outer(**of_numpy, maybe=3, form="b", anything=[1]))
    check_fields(Outer(inner=Inner(math.inf)))  # bounds are for the object itself


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"count": 2.9}, r"Outer\.count must be a whole number, got 2\.9"),
        ({"count": True}, r"Outer\.count must be a whole number, got True"),
        ({"name": 3}, r"Outer\.name must be text, got 3"),
        ({"flag": 1}, r"Outer\.flag must be true or false, got 1"),
        ({"maybe": 0.5}, r"Outer\.maybe must be a whole number or none, got 0\.5"),
        ({"form": "c"}, r"Outer\.form must be 'a' or 'b', got 'c'"),
        ({"scales": (1, float("nan"))}, r"Outer\.scales must be a list of numbers"),
        ({"scales": 1.0}, r"Outer\.scales must be a list of numbers, got 1"),
        ({"pair": (1,)}, r"Outer\.pair must be"),
        ({"inner": Inner(float("nan"))}, r"Outer\.inner\.share must be a number, got nan"),
        ({"by_name": {"one": Inner("x")}}, r"Outer\.by_name\.one\.share must be a number, got 'x'"),  # type: ignore[arg-type]
        ({"several": (Inner(), Inner(None))}, r"Outer\.several\.1\.share must be a number, got None"),  # type: ignore[arg-type]
    ],
)
def test_a_field_of_another_type_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        check_fields(Outer(**change))


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Protocol(epochs=2.9), "Protocol.epochs"),  # type: ignore[arg-type]
        (lambda: Protocol(momentum=NAN), "Protocol.momentum"),
        (lambda: Protocol(momentum=1.0), r"momentum in \[0, 1\)"),
        (lambda: Protocol(weight_decay=math.inf), "weight decay"),
        (lambda: Protocol(batch=2.5), "Protocol.batch"),  # type: ignore[arg-type]
        (lambda: TrainingRecipe(epochs=1.5), "TrainingRecipe.epochs"),  # type: ignore[arg-type]
        (lambda: TrainingRecipe(half_size=NAN), "TrainingRecipe.half_size"),
        (lambda: Policy(compile=1), "Policy.compile"),  # type: ignore[arg-type]
        (lambda: FreshNetwork(count=2.9), "FreshNetwork.count"),  # type: ignore[arg-type]
        (lambda: FreshNetwork(every=1.5), "FreshNetwork.every"),  # type: ignore[arg-type]
        (lambda: GrowingNetwork(outer=NAN), "GrowingNetwork.outer"),
        (lambda: GrowingNetwork(window=2.5), "GrowingNetwork.window"),  # type: ignore[arg-type]
        (lambda: NetworkQueue(learning_rate=NAN), "NetworkQueue.learning_rate"),
        (lambda: PretrainedPool(count=1.5), "PretrainedPool.count"),  # type: ignore[arg-type]
        (lambda: Engine(micro_batch=0), "`micro_batch` must be a whole number of at least 1"),
        (lambda: Engine(in_flight=1.5), "`in_flight` must be a whole number"),  # type: ignore[arg-type]
    ],
)
def test_configured_objects_refuse_odd_numbers(make: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make()
