"""What a user says about where cells run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from datastill.configuration import whole
from datastill.errors import UserError


@dataclass(frozen=True)
class Place:
    """Where cells run, and what each of them gets there. An executor refuses what it has no use for.

    Attributes:
        workers: Cells at a time; None for what the executor chooses.
        cpus: Cores for each cell; None for what the executor chooses.
        gpus: GPUs for each cell, such as 1, or 0.5 where two cells share one.
        address: Of a Ray cluster; "" for a new one on this machine, or what ``RAY_ADDRESS`` says.
        options: Of Slurm's jobs, each ``NAME=VALUE``.

    Raises:
        UserError: If a number is too small.
    """

    workers: int | None = None
    cpus: int | None = None
    gpus: float = 0
    address: str = ""
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in {"workers": self.workers, "cpus": self.cpus}.items():
            if value is not None:
                whole(name, value, least=1)
        if not 0 <= self.gpus < math.inf:
            raise UserError(f"`gpus` must be a finite number of at least 0, got {self.gpus:g}")

    def only(self, executor: str, *used: str) -> None:
        """Refuse what was given and has no use.

        Args:
            executor: Its name.
            used: Names of attributes that it uses.

        Raises:
            UserError: If there is any.
        """
        others = {"cpus": self.cpus, "gpus": self.gpus, "address": self.address, "slurm": self.options}
        for name, value in others.items():
            if value and name not in used:
                fitting = {"address": "ray", "slurm": "slurm"}.get(name, "ray` or `executor=slurm")
                raise UserError(f"`{name}` has no use with `executor={executor}`: leave it out, or give `executor={fitting}`")
