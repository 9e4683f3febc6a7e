from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from datastill.cli.choices import Choices
from datastill.data.catalogue import completed, parse
from datastill.errors import UserError
from datastill.reading import Reading, split_off

EVERY = Reading("photo of the eye", "a=b", "train;small", "{eval}[0]", ("cat, dog", "50% off@64/x", "café"), True, 12, "ignore", False)


@pytest.mark.parametrize("reading", [Reading(), EVERY, Reading(flip=True), Reading(classes=("a", "b")), Reading(test_split="none")])
def test_what_was_chosen_is_read_back_from_the_name(reading: Reading) -> None:
    for name in ("folder:my photos", "folder:photos@64", "parquet:/a{b}/c", "digits", "folder:photos@64x48[0-3,7]"):
        whole = completed(name, reading)
        bare, _, brackets = name.partition("[")
        assert split_off(whole.removesuffix(f"[{brackets}")) == (bare, reading)
        assert parse(whole) == parse(name)
        assert completed(whole, Reading()) == whole


def test_a_later_choice_changes_an_earlier_one() -> None:
    name = completed(completed("parquet:x[1,0]", Reading(test_split="val", bit_depth=12)), Reading(test_split="none"))
    assert name == "parquet:x{test_split=none;bit_depth=12}[1,0]"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder:x{tset_split=a}", r"setting of the data set folder:x 'tset_split'\. Did you mean 'test_split'"),
        ("folder:x{skip_broken=maybe}", "`skip_broken=maybe`: expected yes or no"),
        ("folder:x{bit_depth=twelve}", "`bit_depth=twelve`: expected a whole number"),
        ("folder:x{bit_depth=17}", "`bit_depth=17`: expected the number of bits"),
        ("folder:x{transparency=black}", "`transparency=black`: expected white or ignore"),
        ("folder:x{classes=cat}", "at least two different classes"),
        ("folder:x{classes=cat,cat}", "at least two different classes"),
        ("folder:x{test_split=}", "`test_split` is empty"),
    ],
)
def test_a_wrong_choice_is_refused(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        split_off(name)


def test_every_choice_is_a_flag() -> None:
    assert [entry.name for entry in dataclasses.fields(Choices)] == [entry.name for entry in dataclasses.fields(Reading)]
    given: dict[str, Any] = {**dataclasses.asdict(EVERY), "classes": "cat,dog"}
    assert Choices(**given).reading() == dataclasses.replace(EVERY, classes=("cat", "dog"))
    assert Choices().reading() == Reading()
    assert Choices(flip=False).named("folder:x") == "folder:x{flip=no}"


def test_braces_of_a_path_are_part_of_it() -> None:
    assert parse("folder:/data/my{x}") == ("folder", Path("/data/my{x}"), None)
