"""The first trials of every campaign, and the parts that the long form stands on."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from datastill.errors import UserError
from faults import isolation, table
from faults.campaign import Campaign, Outcome, Trial, attempt
from faults.ill import DIES, HANGS, ILL
from faults.mutations import BYTES, damaged, odd
from faults.registry import CAMPAIGNS, MODULES


@pytest.mark.parametrize("name", [name for name, campaign in CAMPAIGNS.items() if campaign.short])
def test_nothing_is_lost_or_let_in(name: str) -> None:
    made = [attempt(CAMPAIGNS[name], seed) for seed in range(CAMPAIGNS[name].short)]
    assert [trial for trial in made if not trial.outcome.good] == []


def test_every_module_with_campaigns_is_registered() -> None:
    modules = {path.stem for path in Path(__file__).parent.glob("*.py") if "\nCAMPAIGNS = " in path.read_text()}
    assert modules == {module.__name__.rpartition(".")[2] for module in MODULES}
    assert len(CAMPAIGNS) == sum(len(module.CAMPAIGNS) for module in MODULES), "two campaigns have one name"


def test_an_exception_of_a_trial_is_counted_for_what_it_is() -> None:
    def raising(error: Exception) -> Campaign:
        def trial(seed: int, folder: Path) -> Outcome:
            raise error

        return Campaign("raising", "", trial)

    assert attempt(raising(UserError("one line")), 3) == Trial(3, Outcome.REFUSED, "one line")
    assert attempt(raising(UserError("two\nlines")), 3) == Trial(3, Outcome.REFUSED, "two lines")
    assert attempt(raising(UserError(" ")), 3).outcome == Outcome.TRACEBACK
    assert attempt(raising(KeyError("x")), 3) == Trial(3, Outcome.TRACEBACK, "KeyError: 'x'")


def test_a_trial_that_dies_or_hangs_does_not_end_the_others() -> None:
    outcomes = [trial.outcome for trial in isolation.trials(ILL, range(4), ILL.trial.__module__)]
    assert outcomes == [Outcome.READ, Outcome.DIED, Outcome.HUNG, Outcome.READ]
    assert (DIES, HANGS) == (1, 2)


@pytest.mark.parametrize("kind", BYTES)
def test_damage_is_damage_and_repeats_with_its_seed(kind: str) -> None:
    whole = bytes(range(1, 200))
    for seed in range(50):
        once, twice = (damaged(whole, random.Random(seed), [kind]) for _ in range(2))
        assert once == twice != whole


def test_one_place_of_plain_values_is_changed_and_the_rest_kept() -> None:
    value = {"a": [1, {"b": "text"}], "c": 2.5}
    found = [odd(value, random.Random(seed)) for seed in range(300)]
    assert value == {"a": [1, {"b": "text"}], "c": 2.5}
    assert sum(each == value for each in found) < 10
    assert {"a": [1, {"b": "text"}]} in found
    assert any(
        each.get("c") == 2.5 and each["a"][0] == 1 and each["a"][1].get("bx") == "text" for each in found if isinstance(each.get("a"), list)
    )


def test_counts_are_kept_by_campaign_and_drawn_as_a_table(tmp_path: Path) -> None:
    one, *_ = CAMPAIGNS
    page = tmp_path / "reliability.md"
    page.write_text(f"# Before\n\n{table.BEGIN}\nold\n{table.END}\n\nafter\n")
    for trials in ([Trial(0, Outcome.LOST)], [Trial(0, Outcome.REFUSED), Trial(1, Outcome.REFUSED), Trial(2, Outcome.WRONG, "pixels")]):
        table.keep(one, trials, tmp_path / "counts.json")
    table.draw(tmp_path / "counts.json", page)
    drawn = page.read_text()
    assert drawn.startswith("# Before\n")
    assert drawn.endswith("\n\nafter\n")
    assert "old" not in drawn
    assert f"| {CAMPAIGNS[one].fault} | 3 | 2 |  |  |  |  | 1 |" in drawn
