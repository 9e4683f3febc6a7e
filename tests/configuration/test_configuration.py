from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pytest

from datastill.configuration import changed, describe, from_plain, restore
from datastill.configuration.types import from_text
from datastill.encoders import TrainingRecipe
from datastill.errors import UserError
from datastill.terms import ClassCentralization, MeanMatching, Term


@dataclass(frozen=True)
class Shape:
    """What may stand in a drawing."""

    name: str = "shape"
    sides: int = 3


@dataclass(frozen=True)
class Drawing:
    """Fields of every kind that a configuration has."""

    terms: tuple[Term, ...] = ()
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    recipe: TrainingRecipe | None = None
    scales: tuple[float, ...] = (1.0,)
    box: tuple[int, int] = (1, 2)
    way: Literal["up", "down"] = "up"
    count: int | None = None
    remark: object = field(default=None, compare=False)


FULL = Drawing(
    (MeanMatching(), ClassCentralization(weight=0.5)), {"a": Shape("a", 4)}, TrainingRecipe(epochs=2), (0.5, 2.0), (3, 4), "down", 7
)


@pytest.mark.parametrize("thing", [Drawing(), FULL])
def test_nested_objects_are_made_again(thing: Drawing) -> None:
    assert restore(describe(thing), Drawing) == thing


def test_names_become_keys_and_what_tells_no_objects_apart_is_left_out() -> None:
    described = describe(FULL)
    assert list(described["terms"]) == ["mm", "cc"]
    assert described["terms"]["mm"] == {"class": "datastill.terms.mean_matching.MeanMatching", "weight": 1.0}
    assert described["shapes"] == {"a": {"name": "a", "sides": 4}}
    assert "remark" not in described


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    described = describe(MeanMatching(weight=np.float64(0.25)))
    assert type(described["weight"]) is float


def test_what_no_file_can_hold_is_refused() -> None:
    with pytest.raises(UserError, match=r"Shape.sides cannot be written .* got <function"):
        describe(Shape(sides=lambda: 1))  # type: ignore[arg-type]  # what is tested


def cc(**changes: Any) -> dict[str, Any]:
    return {**describe(ClassCentralization()), **changes}


@pytest.mark.parametrize(
    ("description", "base", "said"),
    [
        (cc(weigth=1), Term, r"unknown field of method.cc 'weigth'. Did you mean 'weight'\? Known: weight, form.* Its value is 1."),
        ({"class": cc()["class"], "weight": 1.0}, Term, "method.cc lacks the field 'form', which is 'relative' by default"),
        (cc(weight="much"), Term, "method.cc.weight must be a number, got 'much'"),
        (cc(weight="1e-3"), Term, r"method.cc.weight must be a number, got '1e-3' .YAML takes 1e-3 for text: write 1.0e-3"),
        (cc(weight=True), Term, "method.cc.weight must be a number, got True"),
        (cc(form=3), Term, "method.cc.form must be text, got 3"),
        (cc(form="cubed"), Term, "method.cc: unknown form of class centralization 'cubed'"),
        (cc(**{"class": "os.system"}), Term, "method.cc.class is 'os.system', which does not exist: expected a Term of datastill, of an"),
        (cc(**{"class": "datastill.files.write_atomic"}), Term, "which does not exist"),
        (cc(**{"class": "datastill.encoders.fresh.FreshNetwork"}), Term, "which does not exist"),
        (cc(**{"class": ["x"]}), Term, "which does not exist"),
        ({"weight": 1.0}, Term, "method.cc does not say its class"),
        ([1], Term, r"method.cc must be a mapping of fields, got \[1\]"),
        ({**describe(FULL), "count": 2.9}, Drawing, "method.cc.count must be a whole number or none, got 2.9"),
        ({**describe(FULL), "scales": [1, "x"]}, Drawing, r"method.cc.scales must be a list of numbers, got \[1, 'x'\]"),
        ({**describe(FULL), "box": [1, 2, 3]}, Drawing, "method.cc.box must be a list of whole numbers"),
        ({**describe(FULL), "way": "left"}, Drawing, "method.cc.way must be 'up' or 'down', got 'left'"),
        ({**describe(FULL), "shapes": 3}, Drawing, "method.cc.shapes must hold descriptions by name, got 3"),
        ({**describe(FULL), "terms": {"mm": cc()}}, Drawing, "method.cc.terms.mm is called 'cc'"),
        ({**describe(FULL), "recipe": {"epochs": 2}}, Drawing, "method.cc.recipe lacks the field 'schedule'"),
    ],
)
def test_what_is_not_a_description_is_refused_in_one_line(description: Any, base: type, said: str) -> None:
    with pytest.raises(UserError, match=said) as raised:
        restore(description, base, "method.cc")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [(int, "3", 3), (float, "3", 3.0), (bool, "Yes", True), (str, "3", "3"), (int | None, "none", None), (int | None, "4", 4),
     (tuple[int, ...], "1,2,", (1, 2)), (tuple[float, float], "1,2", (1.0, 2.0)), (Literal["a", "b"], "b", "b")],
)  # fmt: skip
def test_texts_are_read_by_their_type(hint: Any, text: str, value: object) -> None:
    found = from_text(hint, text, "field")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("hint", "text"),
    [(int, "2.0"), (int, "2.9"), (int, "1e3"), (bool, "maybe"), (float, "x"), (tuple[float, float], "1"), (Literal["a", "b"], "c")],
)
def test_texts_of_another_type_are_refused(hint: Any, text: str) -> None:
    with pytest.raises(UserError, match=f"field must be .*, got '{text}'"):
        from_text(hint, text, "field")


def test_plain_values_are_read_strictly_but_a_whole_number_is_a_number() -> None:
    assert from_plain(float, 1, "x") == 1.0
    assert from_plain(tuple[int, ...], [1, 2], "x") == (1, 2)
    for hint, value in ((int, 1.0), (int, True), (int, "1"), (float, "1"), (bool, 1), (str, 1), (tuple[int, ...], 3)):
        with pytest.raises(UserError, match="x must be"):
            from_plain(hint, value, "x")


def test_values_are_set_by_their_path() -> None:
    for setting, found in (
        ("cc.weight=2", lambda drawing: drawing.terms[1].weight == 2.0),
        ("a.sides=5", lambda drawing: drawing.shapes["a"].sides == 5),
        ("recipe.epochs=9", lambda drawing: drawing.recipe.epochs == 9),
        ("recipe=paper", lambda drawing: drawing.recipe.epochs == 30),
        ("box=8,9", lambda drawing: drawing.box == (8, 9)),
        ("count=none", lambda drawing: drawing.count is None),
    ):
        assert found(changed(FULL, setting, "it")), setting
    with pytest.raises(UserError, match=r"it has no 'weight' of its own, but it has mm.weight, cc.weight: name one of them"):
        changed(FULL, "weight=1", "it")
    with pytest.raises(UserError, match=r"it has no 'b', which came in the setting 'b.sides=1'.*It has: mm, cc, a, recipe"):
        changed(FULL, "b.sides=1", "it")
