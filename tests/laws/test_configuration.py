"""Everything that is configured describes itself from all of its fields, and is made again from its description."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from datastill.configuration import describe, restore
from datastill.encoders import RECIPES, Encoder, TrainingRecipe
from datastill.engine import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.methods import METHODS, Method, method
from datastill.runs.plan import Plan
from datastill.setting import PRESETS, Setting
from datastill.terms import TERMS, Term

RESULTS = Path(__file__).parent.parent.parent / "results"


def derived(base: type) -> Iterator[type]:
    """Every class of the package that derives from a base and can be made."""
    cls: type
    for cls in base.__subclasses__():
        if cls.__module__.startswith("datastill.") and not inspect.isabstract(cls):
            yield cls
        yield from derived(cls)


def composed(base: str, preset: str) -> Iterator[Method]:
    yield (bare := method(base, preset=preset))
    if not bare.takes_terms:
        return
    yield method(f"{base}+iid", preset=preset, ipc=50)
    for name in TERMS:
        try:
            yield method(f"{base}+{name}", data="cifar10", ipc=1, preset=preset)
        except UserError:  # it has the term already, or no network that the term could trust
            continue


def read(described: Any) -> Any:
    """A description as a file keeps it."""
    return yaml.safe_load(yaml.safe_dump(described, sort_keys=False))


THINGS: dict[str, tuple[Any, type]] = {
    **{f"{term.name} {preset}": (term.suited(Setting("cifar10", 10, 50, preset)), Term) for term in TERMS.values() for preset in PRESETS},
    **{encoder.__name__: (encoder(), Encoder) for encoder in derived(Encoder)},
    **{f"recipe {name}": (recipe, TrainingRecipe) for name, recipe in RECIPES.items()},
    "protocol": (Protocol("vgg11", batch=3), Protocol),
    "protocol with epochs": (Protocol(epochs=7, augment=False), Protocol),
    "policy": (Policy("bf16", True), Policy),
    "open policy": (Policy(), Policy),
}


@pytest.mark.parametrize("base", METHODS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_method_is_made_again_from_its_description(base: str, preset: str) -> None:
    for thing in composed(base, preset):
        again: Method = restore(read(thing.describe()), Method)  # type: ignore[type-abstract]  # it makes a concrete one
        assert again == thing
        assert type(again) is type(thing)
        assert again.describe() == thing.describe()


@pytest.mark.parametrize("name", THINGS)
def test_everything_else_is_made_again_from_its_description(name: str) -> None:
    thing, base = THINGS[name]
    again: Any = restore(read(describe(thing)), base)
    assert again == thing
    assert type(again) is type(thing)


@pytest.mark.parametrize("name", [*THINGS, *METHODS])
def test_no_field_is_forgotten(name: str) -> None:
    thing = THINGS[name][0] if name in THINGS else method(name)
    described = set(describe(thing)) - {"class", "kind"}
    added = {entry.name: entry for entry in fields(thing) if entry.metadata.get("added")}
    usual = {name: entry.default if entry.default_factory is MISSING else entry.default_factory() for name, entry in added.items()}
    left_out = {field for field, value in usual.items() if getattr(thing, field) == value}
    assert described == {entry.name for entry in fields(thing) if entry.compare} - left_out


def test_a_field_added_later_is_described_where_it_is_not_at_its_default_and_what_was_written_before_is_read() -> None:
    before, boxed = method("dm"), method("dm", settings=["pixels=box"])
    assert "pixels" not in describe(before)
    assert describe(boxed) == {**describe(before), "pixels": "box"}
    assert restore(read(describe(before)), Method) == before  # type: ignore[type-abstract]  # it makes a concrete one
    assert restore(read(describe(boxed)), Method) == boxed  # type: ignore[type-abstract]


@pytest.mark.parametrize("config", sorted(RESULTS.glob("*/*/config.yaml")), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_a_configuration_of_published_results_is_read_or_refused_in_one_line(config: Path) -> None:
    try:
        plan = Plan.read(config)
    except UserError as error:
        said = str(error)
    else:
        said = f"{config}: {plan.method.name}"
        assert plan.method.describe() == yaml.safe_load(config.read_text())["method"]
    assert str(config) in said
    assert "\n" not in said
