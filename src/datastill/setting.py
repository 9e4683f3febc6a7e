"""What published hyper-parameters depend on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """The facts that presets are looked up by.

    Attributes:
        data: Catalogue name of the data set, for example "cifar10".
        classes: Number of classes.
        ipc: Synthetic images per class.
        preset: A name of `PRESETS`.
        method: The base method that terms are added to.
    """

    data: str
    classes: int
    ipc: int
    preset: str = "paper"
    method: str = "dm"


PRESETS: dict[str, str] = {
    "paper": "the values the paper states",
    "code": "the values of the paper's published code, where they differ",
    "fast": "values to get further in less time; those of dm were chosen on the validation split of CIFAR-10 at IPC 10",
}
"""Named presets and what they are."""
