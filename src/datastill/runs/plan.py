"""Everything that a run depends on: written to its configuration, and read back from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from datastill import provenance
from datastill.configuration import describe, from_plain, restore
from datastill.data import DataSet, load
from datastill.data.loading import VALIDATION_FRACTION
from datastill.data.whitening import Whitening, check_same
from datastill.engine import Engine, Policy
from datastill.errors import UserError, unknown
from datastill.evaluation import Protocol
from datastill.methods import Method
from datastill.runs.configuration import read_configuration

RESULTS = ("made_by", "continued_by", "encoders")
"""What a configuration says about how a run went, not about what it is."""


@dataclass(frozen=True)
class Plan:
    """A run before it is run.

    Attributes:
        data: What identifies the data set (see `DataSet.describe`).
        method: How it is distilled.
        ipc: Synthetic images per class.
        seed: The same seed gives the same bits.
        engine: What else the bits depend on (see `Engine.describe`).
        iterations: The total number of steps.
        validate_at: Iterations after which a network is trained on the set and tested on the validation split.
        protocol: How.
        asked: What was asked of the engine, which validations choose by; None for an engine made by hand.
        encoders: Checksums of the pretrained networks that were read, where they are known.
        source: The file that it was read from.
    """

    data: Mapping[str, Any]
    method: Method
    ipc: int
    seed: int
    engine: Mapping[str, Any]
    iterations: int
    validate_at: tuple[int, ...] = ()
    protocol: Protocol = field(default_factory=Protocol)
    asked: Policy | None = None
    encoders: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def describe(self) -> dict[str, Any]:
        """Everything needed to repeat the run, as plain values; `read` is the inverse."""
        return {
            "data": dict(self.data),
            "method": self.method.describe(),
            "ipc": self.ipc,
            "seed": self.seed,
            "engine": dict(self.engine),
            "iterations": self.iterations,
            "validate_at": {"iterations": sorted(self.validate_at), **describe(self.protocol), "epochs": self.protocol.passes},
            "asked": describe(self.asked) if self.asked else None,
            "made_by": provenance.made_by(),
        }

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a run's configuration.

        Args:
            path: A ``config.yaml``, or the run's folder.

        Raises:
            UserError: If there is none, or a value in it is missing, unknown or of the wrong type.
        """
        path = Path(path)
        path = path / "config.yaml" if path.is_dir() else path
        content = read_configuration(path, changed=True)
        if content is None:
            raise UserError(f"there is no configuration at {path}: expected the config.yaml of a run, or the run's folder")
        needed = ("data", "method", "ipc", "seed", "engine", "iterations", "validate_at")
        for key in needed:
            if key not in content:
                raise UserError(f"{path} is not the configuration of a distillation: it lacks '{key}'")
        for key in content:
            if key not in (*needed, *RESULTS, "asked"):
                raise unknown(f"key of {path}", str(key), (*needed, "asked"))
        data, engine, validate = (_mapping(content[key], f"{path}: {key}") for key in ("data", "engine", "validate_at"))
        protocol = {**describe(Protocol()), **validate}  # files of earlier versions have its network and epochs only
        iterations = from_plain(tuple[int, ...], protocol.pop("iterations", []), f"{path}: validate_at.iterations")
        for key in ("name", "fingerprint"):
            from_plain(str, data.get(key), f"{path}: data.{key}")
        asked = content.get("asked", describe(Policy()))
        return cls(
            data={"held_out": VALIDATION_FRACTION, **data},
            method=restore(content["method"], Method, f"{path}: method"),  # type: ignore[type-abstract]  # it makes a concrete one
            ipc=from_plain(int, content["ipc"], f"{path}: ipc"),
            seed=from_plain(int, content["seed"], f"{path}: seed"),
            engine=engine,
            iterations=from_plain(int, content["iterations"], f"{path}: iterations"),
            validate_at=iterations,
            protocol=restore(protocol, Protocol, f"{path}: validate_at"),
            asked=None if asked is None else restore(asked, Policy, f"{path}: asked"),
            encoders=from_plain(dict[str, str], content.get("encoders") or {}, f"{path}: encoders"),
            source=str(path),
        )

    def load(self) -> DataSet:
        """Load the data set.

        Raises:
            UserError: If it cannot be loaded, or is another one than that of the run.
        """
        share = from_plain(float, self.data["held_out"], f"{self.source}: data.held_out")
        return self.fitting(load(str(self.data["name"]), validation=share))

    def fitting(self, data: DataSet) -> DataSet:
        """The data set, if it is that of the run.

        Raises:
            UserError: If it is another one.
        """
        found = data.describe()
        for key in ("fingerprint", "mean", "std"):
            if key in self.data and found[key] != self.data[key]:
                raise UserError(f"the data set {data.name} is not that of {self.source}: its {key} was {self.data[key]}, is {found[key]}")
        if data.whitening or "whitening" in self.data:
            known = from_plain(Whitening, self.data.get("whitening"), f"{self.source}: data.whitening")
            if data.whitening is None:
                raise UserError(f"the data set {data.name} is not that of {self.source}, whose images are whitened: load it with `whiten`")
            check_same(data.whitening.identity, known, self.source)
        return data

    def prepared_engine(self) -> Engine:
        """The engine that computes the same bits.

        Raises:
            UserError: If this machine has no such engine.
        """
        asked = self.asked or Policy()
        chosen = Engine.choose(device=str(self.engine.get("device")), precision=asked.precision, compile=asked.compile, cost=0)
        chosen = chosen.as_recorded(self.engine)
        for key, value in chosen.describe().items():
            if key in self.engine and self.engine[key] != value:
                raise UserError(f"{self.source} cannot be repeated here: engine.{key} was {self.engine[key]}, and can only be {value}")
        return chosen if self.asked else replace(chosen, asked=None)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a mapping of fields, got {value!r}")
    return {str(key): entry for key, entry in value.items()}
