"""Numbers given to the functions of the package: whole where they must be, within what fits into memory, and no junk is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import datastill
from datastill import UserError
from datastill.data import DataSet
from datastill.encoders import NetworkQueue
from datastill.engine.memory import available, check_memory
from datastill.networks import Features
from datastill.runs.loop import finite
from datastill.terms import Target, Term
from run_folders import checkpoints, method, run
from small_methods import small
from tiny_sets import data_set, distilled_set

NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ipc": 2.9}, "`ipc` must be a whole number of at least 1, got 2.9"),
        ({"ipc": True}, "`ipc` must be a whole number"),
        ({"seed": 7.9}, "`seed` must be a whole number, got 7.9"),
        ({"seed": "7"}, "`seed` must be a whole number"),
        ({"iterations": 8.5}, "`iterations` must be a whole number"),
        ({"validate_at": [1.5]}, "`validate_at` must be a whole number"),
        ({"checkpoint_seconds": NAN}, "`checkpoint_seconds` must be a finite number of at least 0, got nan"),
        ({"checkpoint_seconds": -1}, "`checkpoint_seconds` must be a finite number of at least 0, got -1"),
        ({"checkpoint_seconds": float("inf")}, "`checkpoint_seconds` must be a finite number"),
        ({"method": method(views=1.5)}, r"dm\+cm.views must be a whole number, got 1.5"),
        ({"method": method(real_batch=NAN)}, r"dm\+cm.real_batch must be a whole number, got nan"),
        ({"method": method(augment="yes")}, r"dm\+cm.augment must be true or false"),
        (
            {"method": method(views=100_000_000)},
            r"at IPC 2 on tiny take at least .* GB, but there are .* of memory: lower `ipc`, or .* views",
        ),
        ({"method": method(initialisation="noise"), "ipc": 10**9}, r"take at least .* GB, but there are .*: lower `ipc`"),
        ({"method": method(initialisation="noise"), "ipc": 10**18}, r"take at least .* million GB, but there are .*: lower `ipc`"),
    ],
)
def test_a_number_that_cannot_be_is_refused_before_anything_is_written(
    tiny: DataSet, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        run(tiny, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [{"first": 10**9, "longest": 10**9}, {"batch": 10**12}, {"steps": 10**12}])
def test_networks_that_do_not_fit_into_memory_are_refused(tiny: DataSet, tmp_path: Path, change: dict[str, Any]) -> None:
    composed = small("idm")
    queue = replace(composed.encoders["matching"], **change)
    assert isinstance(queue, NetworkQueue)
    with pytest.raises(UserError, match="of memory: lower `ipc`, or the settings views, factor or those of its encoders"):
        run(tiny, tmp_path / "run", method=replace(composed, encoders={"matching": queue}))


def test_numbers_of_numpy_give_the_same_bits(tiny: DataSet) -> None:
    ours = run(tiny, None, 2, seed=3)
    options: dict[str, Any] = {"iterations": np.int64(2), "seed": np.int64(3), "ipc": np.int32(2)}
    theirs = run(tiny, None, **options)
    assert torch.equal(ours.images, theirs.images)
    assert type(theirs.origin.seed) is int


OTHERS: dict[str, tuple[Callable[[], object], str]] = {
    "evaluate, networks": (lambda: datastill.evaluate(distilled_set(), data=data_set(), repeats=2.5), "`repeats` must be"),  # type: ignore[arg-type]
    "evaluate, seed": (lambda: datastill.evaluate(distilled_set(), data=data_set(), seed=0.5), "`seed` must be"),  # type: ignore[arg-type]
    "load": (lambda: datastill.load("digits", validation=NAN), "`validation` must be a finite number from 0 to 0.5"),
    "load, memory": (lambda: datastill.load("digits", memory_budget=1.5), "`memory_budget` must be"),  # type: ignore[arg-type]
    "method": (lambda: datastill.method("dm", ipc=2.5), "`ipc` must be"),  # type: ignore[arg-type]
    "method, classes": (lambda: datastill.method("dm", classes=0), "`classes` must be"),
    "classes": (lambda: data_set().only([0, 1.5]), "`classes` must be a whole number from 0 to 2, got 1.5"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_functions_take_the_same_numbers(name: str) -> None:
    call, said = OTHERS[name]
    with pytest.raises(UserError, match=said):
        call()


@pytest.mark.parametrize("learning_rate", [1e5, 1e20])
def test_pixels_that_left_every_range_end_the_run_and_the_last_good_checkpoint_stays(
    tiny: DataSet, tmp_path: Path, learning_rate: float
) -> None:
    run(tiny, tmp_path / "run", 2, seed=3)
    before = [path.name for path in checkpoints(tmp_path / "run")]
    with pytest.raises(UserError, match=r"the pixels of an image are .* after iteration 1, so nothing is left of it: lower .*are kept"):
        run(tiny, tmp_path / "other", seed=3, method=method(learning_rate=learning_rate))
    assert not (tmp_path / "other" / "checkpoint").exists()
    assert [path.name for path in checkpoints(tmp_path / "run")] == before == ["00000001.safetensors", "00000002.safetensors"]


def test_a_state_that_is_not_finite_is_never_kept() -> None:
    with pytest.raises(UserError, match="the run has diverged: 'momentum' is not finite after iteration 7, so it is not kept"):
        finite({"positions": torch.tensor([1]), "momentum": torch.tensor([1.0, torch.inf])}, 7)


@dataclass(frozen=True)
class Returning(Term):
    """A term that returns what it is told."""

    name = "returning"
    summary = "returns something"
    reads = ("embedding",)
    source = "none"

    what: str = "float"

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        value = synthetic.embedding.square().sum()
        found: Any = {
            "float": float(value.detach()),
            "none": None,
            "rows": value.repeat(3),
            "count": value.long(),
            "array": value.detach().numpy(),
        }
        return found[self.what]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("float", "must return a scalar tensor, but returned a float: .* without float"),
        ("none", "must return a scalar tensor, but returned a NoneType"),
        ("array", "must return a scalar tensor, but returned a ndarray"),
        ("rows", r"must return a scalar, but returned a tensor of shape \(3,\)"),
        ("count", "must return a scalar of floating-point numbers, but returned torch.int64"),
    ],
)
def test_a_term_that_returns_no_scalar_is_one_line(tiny: DataSet, tmp_path: Path, what: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^the term 'returning' {said}"):
        run(tiny, tmp_path / "run", 1, method=method("dm") + Returning(what=what))


def test_memory_is_what_this_process_may_use() -> None:
    there_is = available(torch.device("cpu"))
    assert there_is > 2**28
    check_memory(there_is, torch.device("cpu"), "these", "lower x")
    with pytest.raises(UserError, match=r"^these take at least [\d.]+ GB, but there are [\d.]+ GB of memory: lower x$"):
        check_memory(there_is + 1, torch.device("cpu"), "these", "lower x")
