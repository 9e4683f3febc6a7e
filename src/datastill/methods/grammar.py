"""The grammar of methods, ``METHOD[+TERM...]``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from datastill.encoders import PretrainedPool, TrainingRecipe, recipe
from datastill.errors import UserError, unknown
from datastill.kinds import DistributionMatching, Method
from datastill.methods.cafe import cafe
from datastill.methods.datadam import datadam, datadam_bn
from datastill.methods.dm import dm
from datastill.methods.forgetting import forgetting
from datastill.methods.herding import herding
from datastill.methods.idm import idm
from datastill.methods.k_center import k_center
from datastill.methods.m3d import m3d
from datastill.methods.random import random
from datastill.setting import PRESETS, Setting
from datastill.terms import BUNDLES, TERMS

METHODS: dict[str, Callable[[Setting], Method]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        dm,
        idm,
        datadam,
        datadam_bn,
        cafe,
        m3d,
        random,
        herding,
        k_center,
        forgetting,
    )
}
"""Every base method by name."""


def method(
    name: str, *, data: str = "digits", classes: int = 10, ipc: int = 10, preset: str = "paper", settings: Sequence[str] = ()
) -> Method:
    """Compose a method from its name.

    Args:
        name: A base method, then terms: ``dm``, ``dm+cc``, ``dm+cm``, ``dm+iid`` (which is ``dm+cc+cm``).
        data: Catalogue name of the data set, which published hyper-parameters depend on.
        classes: Number of classes.
        ipc: Synthetic images per class.
        preset: "paper", "code" or "fast", see `datastill.setting.PRESETS`.
        settings: Changes to the published values, each ``FIELD=VALUE``, ``TERM.FIELD=VALUE`` or ``ENCODER.FIELD=VALUE``: ``real_batch=64``,
            ``cc.form=squared``, ``pretrained.recipe=paper``, ``pretrained.recipe.epochs=4``.

    Raises:
        UserError: If a name, a field or a value is unknown, or terms are added to a method that takes none.

    Example:
        >>> [term.name for term in method("dm+iid").terms]
        ['mm', 'cc', 'cm']
        >>> method("dm+cc", ipc=50, settings=["cc.alpha=0.1"]).terms[1]
        ClassCentralization(weight=0.003, form='hinge', alpha=0.1, beta=0.5)
    """
    base, *extra = name.lower().split("+")
    if base not in METHODS:
        raise unknown("method", base, METHODS, hint="A method is METHOD[+TERM...], for example dm+iid.")
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    setting = Setting(data, classes, ipc, preset, base)
    composed = METHODS[base](setting)
    for short in extra:
        for term in BUNDLES.get(short, (short,)):
            if term not in TERMS:
                raise unknown("term", term, [*TERMS, *BUNDLES], hint=f"It came in the method '{name}'.")
            composed = composed + TERMS[term].suited(setting)
    composed = dataclasses.replace(composed, name=name.lower())
    for change in settings:
        composed = _changed(composed, change)
    return composed


def _changed(composed: Method, change: str) -> Method:
    path, equals, value = change.partition("=")
    owner, _, field = path.rpartition(".")
    if not equals or not field:
        raise UserError(f"'{change}' is no setting; expected FIELD=VALUE or TERM.FIELD=VALUE, for example cc.weight=0.02")
    if not owner:
        changed: Method = _replaced(composed, field, value, composed.name)
        return changed
    if isinstance(inside := getattr(composed, owner, None), TrainingRecipe):
        return dataclasses.replace(composed, **{owner: _replaced(inside, field, value, owner)})
    if not isinstance(composed, DistributionMatching):
        raise UserError(f"{composed.name} has no '{owner}' to set, which came in the setting '{change}'")
    name, _, inner = owner.partition(".")
    if name in composed.encoders:
        encoder = composed.encoders[name]
        if inner == "recipe" and isinstance(encoder, PretrainedPool):
            encoder = dataclasses.replace(encoder, recipe=_replaced(encoder.recipe, field, value, owner))
        else:
            encoder = _replaced(encoder, field, value, owner)
        return dataclasses.replace(composed, encoders={**composed.encoders, name: encoder})
    names = [term.name for term in composed.terms]
    if owner not in names:
        raise unknown("term", owner, [*names, *composed.encoders], hint=f"It came in the setting '{change}'.")
    terms = tuple(_replaced(term, field, value, owner) if term.name == owner else term for term in composed.terms)
    return dataclasses.replace(composed, terms=terms)


def _replaced(thing: Any, field: str, value: str, name: str) -> Any:
    if isinstance(getattr(thing, field, None), TrainingRecipe):
        return dataclasses.replace(thing, **{field: recipe(value)})
    plain = {entry.name: getattr(thing, entry.name) for entry in dataclasses.fields(thing)}
    plain = {
        key: current
        for key, current in plain.items()
        if isinstance(current, bool | int | float | str | tuple) and key not in ("name", "terms")
    }
    if field not in plain:
        recipes = [entry.name for entry in dataclasses.fields(thing) if isinstance(getattr(thing, entry.name), TrainingRecipe)]
        if not plain and not recipes:
            raise UserError(f"{name} has no settings, but got {field}={value}")
        raise unknown(f"setting of {name}", field, [*plain, *recipes])
    current = plain[field]
    try:
        if isinstance(current, bool):
            converted: Any = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value.lower()]
        elif isinstance(current, tuple):
            kind = type(current[0]) if current else int
            converted = tuple(kind(part) for part in value.split(",") if part)
        else:
            converted = type(current)(value)
    except (KeyError, ValueError) as error:
        expected = "numbers separated by commas" if isinstance(current, tuple) else f"a {type(current).__name__} like {current}"
        raise UserError(f"{name}.{field} must be {expected}, got '{value}'") from error
    return dataclasses.replace(thing, **{field: converted})
