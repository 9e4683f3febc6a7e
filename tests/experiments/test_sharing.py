"""How many cells at once: what is fastest by a measurement that is made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from datastill.experiments.executors import Local, Place, named_executor, sharing
from datastill.experiments.executors.local import shares
from datastill.experiments.executors.sharing import Fastest

CORES = len(shares(1)[0])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    return tmp_path


def fixed(rates: dict[int, float], asked: list[int]) -> Callable[[int, float, str], float]:
    def together(count: int, seconds: float, start: str) -> float:
        asked.append(count)
        return rates[count]

    return together


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ({1: 10.0, 2: 10.9, 4: 10.9, 8: 10.9}, 1),  # a tenth more is not worth the memory
        ({1: 10.0, 2: 11.1, 4: 12.0, 8: 12.1}, 2),
        ({1: 10.0, 2: 14.0, 4: 20.0, 8: 9.0}, 4),
        ({1: 10.0, 2: 9.0, 4: 9.0, 8: 12.0}, 8),
    ],
)
def test_more_cells_at_once_must_be_worth_it_and_are_measured_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[int, float], best: int
) -> None:
    asked = list[int]()
    monkeypatch.setattr(sharing, "shares", lambda workers: [frozenset(range(8))])
    monkeypatch.setattr(sharing, "together", fixed(rates, asked))
    assert [sharing.fastest(), sharing.fastest()] == [best, best]
    assert asked == [1, 2, 4, 8]


def test_one_core_has_one_cell(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "shares", lambda workers: [frozenset({3})])
    monkeypatch.setattr(sharing, "together", None)
    assert sharing.fastest() == 1


def test_processes_count_their_steps_together() -> None:
    assert sharing.together(min(2, CORES), 0.1, "spawn") > 0


def test_the_executor_takes_what_is_fastest_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "fastest", None)  # nothing is measured before there is something to run
    assert (named_executor("local", Place()), named_executor("local", Place(workers=2))) == (Fastest(), Local(2))
    monkeypatch.setattr(sharing, "fastest", lambda: 3)
    assert (Fastest().cores, Fastest().at_once) == (Local(3).cores, Local(3).at_once)


@pytest.mark.parametrize(("tasks", "workers"), [(0, 1), (1, 1), (2, 2), (5, 3)])
def test_no_core_waits_for_a_cell_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tasks: int, workers: int) -> None:
    class Counting(Local):
        def __call__(self, given: Iterable[Any]) -> Generator[Any]:
            yield from (self.workers, *given)

    monkeypatch.setattr(sharing, "fastest", lambda: 3)
    monkeypatch.setattr(sharing, "Local", Counting)
    assert [*Fastest()(iter(range(tasks)))] == [workers, *range(tasks)]  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 2])
def test_a_process_that_is_lost_makes_its_number_no_choice(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(sharing, "_count", lost)
    assert sharing.together(count, 0.1, "fork") == 0


def lost(*given: Any) -> None:
    os._exit(9)
