"""Where cells run: processes of this machine, or jobs of a cluster. Executors know cells only."""

from __future__ import annotations

from collections.abc import Callable

from datastill.errors import unknown
from datastill.experiments.executors.local import Local
from datastill.experiments.executors.on_ray import OnRay
from datastill.experiments.executors.on_slurm import OnSlurm
from datastill.experiments.executors.place import Place
from datastill.experiments.executors.sharing import Fastest
from datastill.experiments.performing import Placed


def _local(place: Place) -> Local | Fastest:
    place.only("local")
    return Local(place.workers) if place.workers else Fastest()


EXECUTORS: dict[str, Callable[[Place], Placed]] = {"local": _local, "ray": OnRay, "slurm": OnSlurm}
"""From what a user says of the place to an executor, by name."""


def named_executor(name: str, place: Place) -> Placed:
    """An executor by its name.

    Args:
        name: One of `EXECUTORS`.
        place: What was said about where cells run.

    Raises:
        UserError: If there is none of that name, it needs a package that is not installed, or has no use for what was given.
    """
    if name not in EXECUTORS:
        raise unknown("executor", name, EXECUTORS)
    return EXECUTORS[name](place)


__all__ = ["EXECUTORS", "Local", "OnRay", "OnSlurm", "Place", "named_executor"]
