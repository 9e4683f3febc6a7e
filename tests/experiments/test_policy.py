from __future__ import annotations

import math
from dataclasses import replace

import pytest

from datastill.data import load
from datastill.engine import hardware
from datastill.engine.policy import PRECISIONS, Policy
from datastill.errors import UserError
from datastill.experiments import Cell
from datastill.experiments.policy import settled
from datastill.experiments.record import Maker
from records import MAKER, record

SMALL = Cell("table/dm", "table/dm", "digits", "dm", 1, 0, 1, settings=("real_batch=2",), repeats=1)
LARGE = replace(SMALL, name="table/large", run="table/large", iterations=10**12)
BF16 = replace(MAKER, precision="bf16", compiled=True)


def test_the_largest_job_decides_for_the_whole_table() -> None:
    precision, compiled = Policy().resolve(hardware.device("auto"), math.inf)
    assert settled("table", [SMALL, LARGE], [], load) == Policy(
        next(key for key, value in PRECISIONS.items() if value == precision), compiled
    )
    assert settled("table", [SMALL], [], load) == Policy("fp32", compile=False)


def test_nothing_is_read_where_nothing_is_open() -> None:
    def read(name: str) -> object:
        pytest.fail(f"{name} was read")

    asked = Policy("bf16", compile=False)
    assert settled("table", [replace(LARGE, policy=asked)], [], read) == asked  # type: ignore[arg-type]
    assert settled("table", [LARGE], [record(distilled_by=BF16, evaluated_by=BF16)], read) == Policy("bf16", compile=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("evaluated_by", "said"), [(MAKER, "bf16, compiled; fp32, not compiled"), (replace(BF16, compiled=False), "different settings")]
)
def test_what_was_run_in_several_ways_takes_no_more(evaluated_by: Maker, said: str) -> None:
    with pytest.raises(UserError, match=said):
        settled("table", [SMALL], [record(distilled_by=BF16, evaluated_by=evaluated_by)], load)


def test_who_recorded_no_precision_is_passed_over() -> None:
    assert settled("table", [SMALL], [record(distilled_by=replace(BF16, precision=""))], load) == Policy("fp32", compile=False)


def test_what_is_asked_to_be_compiled_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "why_no_compiler", lambda device: "no C++ compiler is found")
    asked = [replace(SMALL, policy=Policy("fp32", compile=True))]
    with pytest.raises(UserError, match=r"all of table is run compiled, but no C\+\+ compiler is found: install a compiler"):
        settled("table", asked, [], load)
