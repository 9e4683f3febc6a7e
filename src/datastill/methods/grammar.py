"""The grammar of methods, ``METHOD[+TERM...]``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datastill.configuration import changed, whole, words
from datastill.data import CATALOGUE, DataSet
from datastill.data.naming import source_of
from datastill.errors import unknown
from datastill.kinds import Method
from datastill.methods.cafe import cafe
from datastill.methods.cf import cf
from datastill.methods.dance import dance
from datastill.methods.datadam import datadam, datadam_bn
from datastill.methods.dc import dc
from datastill.methods.dcc import dcc
from datastill.methods.dd import dd
from datastill.methods.dm import dm
from datastill.methods.dsa import dsa
from datastill.methods.forgetting import forgetting
from datastill.methods.frepo import frepo
from datastill.methods.ftd import ftd
from datastill.methods.herding import herding
from datastill.methods.idm import idm
from datastill.methods.k_center import k_center
from datastill.methods.kip import kip
from datastill.methods.ld import ld
from datastill.methods.m3d import m3d
from datastill.methods.mtt import mtt
from datastill.methods.published import PublishedAccuracy
from datastill.methods.random import random
from datastill.methods.tgdd import tgdd
from datastill.plugins import Names
from datastill.setting import PRESETS, Lookup, Setting
from datastill.terms import BUNDLES
from datastill.terms import NAMES as TERM_NAMES

METHODS: dict[str, Callable[[Setting], Method]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        dm,
        idm,
        datadam,
        datadam_bn,
        cafe,
        m3d,
        dance,
        tgdd,
        cf,
        dc,
        dsa,
        dcc,
        mtt,
        ftd,
        random,
        herding,
        k_center,
        forgetting,
        kip,
        frepo,
        ld,
        dd,
    )
}
"""Every base method of this package by name."""


def _method(name: str, offered: Any) -> Callable[[Setting], Method]:
    if not callable(offered):
        raise ValueError(f"expected a function of a datastill.setting.Setting, got {offered!r}")
    return offered  # type: ignore[no-any-return]  # what it returns is looked at when it is called


NAMES: Names[Callable[[Setting], Method]] = Names("method", METHODS, _method)
"""The base methods of this package and of installed plug-ins."""


STAND_IN = Setting("digits", classes=10, ipc=10)
"""What values are looked up by where nobody said what is distilled."""


def published_of(name: str) -> Mapping[tuple[str, int], PublishedAccuracy]:
    """What is published of a method of this package, by data set and IPC; without the terms that were added to it.

    Example:
        >>> published_of("mtt+cm")
        {}
        >>> str(published_of("mtt")["cifar10", 1])
        '46.3 (best of several tests)'
    """
    function = METHODS.get(name.lower())
    return getattr(sys.modules[function.__module__], "PUBLISHED", {}) if function else {}


def kind_of(name: str) -> str:
    """The kind of a method of this package by its name; empty for any other name.

    Example:
        >>> kind_of("dm+iid"), kind_of("herding"), kind_of("unknown")
        ('distribution matching', 'selection', '')
    """
    base = name.lower().partition("+")[0]
    return method(base).kind if base in METHODS else ""


def method(
    name: str,
    *,
    data: DataSet | str | None = None,
    classes: int | None = None,
    ipc: int | None = None,
    preset: str = "paper",
    settings: Sequence[str] = (),
) -> Method:
    """Compose a method from its name, with the values that are published for a data set and an IPC.

    Some values differ between data sets and IPCs. Where `data` or `ipc` is left out, `datastill.distill` looks them up again for what it
    distils, and keeps those that you set yourself; until then the method has the values for digits, and for IPC 10. Where they are given,
    `datastill.distill` refuses to distil anything else with values that would be others for it.

    Args:
        name: A base method, then terms: ``dm``, ``dm+cc``, ``dm+cm``, ``dm+iid`` (which is ``dm+cc+cm``).
        data: The data set, or its name; None for what will be distilled.
        classes: Number of classes, where `data` is a name; None for as many as what will be distilled has.
        ipc: Synthetic images per class; None for as many as will be distilled.
        preset: "paper", "code", "fast" or "best", see `datastill.setting.PRESETS`.
        settings: Changes to the published values, each ``FIELD=VALUE``, ``TERM.FIELD=VALUE`` or ``ENCODER.FIELD=VALUE``: ``real_batch=64``,
            ``cc.form=squared``, ``pretrained.recipe=paper``, ``pretrained.recipe.epochs=4``.

    Raises:
        UserError: If a name, a field or a value is unknown, or terms are added to a method that takes none.

    Example:
        >>> [term.name for term in method("dm+iid").terms]
        ['mm', 'cc', 'cm']
        >>> method("dm+cc", ipc=50, settings=["cc.alpha=0.1"]).terms[1]
        ClassCentralization(weight=0.0006, form='relative', alpha=0.1, beta=0.5)
    """
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    given = {"data": data, "classes": data if isinstance(data, DataSet) else classes, "ipc": ipc}
    left = frozenset(fact for fact, value in given.items() if value is None)
    ipc = whole("ipc", STAND_IN.ipc if ipc is None else ipc, least=1)
    classes = whole("classes", STAND_IN.classes if classes is None else classes, least=1)
    if isinstance(data, DataSet):
        setting = Setting(data.source, data.classes, ipc, preset, min(data.size))
    else:
        data = STAND_IN.data if data is None else data
        source = source_of(data)
        if source not in CATALOGUE:
            raise unknown("data set", data, CATALOGUE, hint="Give a `datastill.load`ed data set if it is none of these.")
        setting = Setting(source, classes, ipc, preset)
    return compose(Lookup(name, setting, words("settings", settings), left))


def compose(lookup: Lookup) -> Method:
    """Compose a method (see `method`), which remembers what its values were looked up by."""
    setting = lookup.setting
    base, *extra = lookup.name.lower().split("+")
    function = NAMES.find(base, hint="A method is METHOD[+TERM...], for example dm+iid.")
    with NAMES.guarded(base):
        composed = function(setting)
        if not isinstance(composed, Method):
            raise ValueError(f"expected it to return a Method, got {composed!r}")
    if extra and type(composed).__add__ is Method.__add__:
        raise composed.no_terms("+".join(extra))
    for term in (term for short in extra for term in BUNDLES.get(short, (short,))):
        cls = TERM_NAMES.find(term, hint=f"It came in the method '{lookup.name}'.")
        with TERM_NAMES.guarded(term):
            suited, encoder = cls.suited(setting), cls.brought(setting)
        composed = composed.with_term(suited, encoder)
    composed = dataclasses.replace(composed, name=lookup.name.lower(), lookup=lookup)
    for change in lookup.settings:
        composed = changed(composed, change, composed.name)
    return composed
