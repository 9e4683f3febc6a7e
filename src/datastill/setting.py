"""What published hyper-parameters depend on, and the presets that they come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

Presets = Mapping[str, Mapping[str, Any]]
"""Values by the name of the preset, then of the field; one that depends on the setting is a function of it."""

FAST, BEST = "fast", "best"
SMALL = 16
"""Pixels of the shorter side below which images are small: a ResNet18 leaves a single position of one of 8x8."""


@dataclass(frozen=True)
class Setting:
    """The facts that presets are looked up by.

    Attributes:
        data: Catalogue name of the data set, for example "cifar10".
        classes: Number of classes.
        ipc: Synthetic images per class.
        preset: A name of `PRESETS`.
        side: The shorter side of the images in pixels; None where it is not known, or nothing should depend on it.
    """

    data: str
    classes: int
    ipc: int
    preset: str = "paper"
    side: int | None = None

    @property
    def small(self) -> bool:
        """Whether the images are known to be smaller than those that published networks were made for."""
        return self.side is not None and self.side < SMALL

    @property
    def quick(self) -> bool:
        """Whether time counts: the preset "fast", or "best", which has the values of "fast" for most methods."""
        return self.preset in (FAST, BEST)

    def values(self, presets: Presets) -> dict[str, Any]:
        """The values of this preset for this setting; those of "fast" for "best" where it has none of its own, and else none.

        Example:
            >>> Setting("digits", 10, ipc=4, preset="fast").values({"fast": {"real_batch": 64, "learning_rate": lambda to: to.ipc / 2}})
            {'real_batch': 64, 'learning_rate': 2.0}
        """
        preset = FAST if self.quick and self.preset not in presets else self.preset
        return {name: self._value(value) for name, value in presets.get(preset, {}).items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._value(inner) for name, inner in value.items()}
        return value(self) if isinstance(value, FunctionType) else value


@dataclass(frozen=True)
class Lookup:
    """What the published values of a method were looked up by, so that they can be looked up again for another setting.

    Attributes:
        name: In the grammar of `datastill.method`.
        setting: The facts.
        settings: Changes to the published values.
        open: Facts that nobody gave, of "data", "classes" and "ipc": the setting has a stand-in for them until they are known.
    """

    name: str
    setting: Setting
    settings: tuple[str, ...] = ()
    open: frozenset[str] = frozenset()

    def known(self, data: str, classes: int, ipc: int, side: int) -> Lookup:
        """The same with the facts of what is distilled, where they are open."""
        facts = {"data": data, "classes": classes, "ipc": ipc}
        found: dict[str, Any] = {name: value for name, value in facts.items() if name in self.open}
        if self.setting.side is None:
            found["side"] = side
        return replace(self, setting=replace(self.setting, **found), open=frozenset())


PRESETS: dict[str, str] = {
    "paper": "the values the paper states; where it states none or they need a cluster, ours, as the method's own page says",
    "code": "the values of the paper's published code, where they differ",
    FAST: "values to get further in less time; those of dm were chosen on the validation split of CIFAR-10 at IPC 10",
    BEST: "the recipe chosen so far on the validation split of CIFAR-10 at IPC 10: tgdd+cm where `distill` is given no method; all methods "
    "but tgdd have the values of fast",
}
"""Named presets and what they are."""

USUAL = "dm+iid"
"""The method of `datastill.distill` and the command, if the user names none."""
METHOD_OF_PRESET = {BEST: "tgdd+cm"}
"""The same with presets that have their own."""


def usual_method(preset: str) -> str:
    """The method of a preset, if the user names none.

    Example:
        >>> usual_method("paper"), usual_method("best")
        ('dm+iid', 'tgdd+cm')
    """
    return METHOD_OF_PRESET.get(preset, USUAL)
