"""A run's folder: its configuration, metrics and checkpoints, all intact at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from torch import Tensor

from datastill.configuration import describe, flat
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.files import is_empty, load_tensors, locked, open_to_append, remove_leftovers, save_tensors, storage_error, write_atomic
from datastill.logs import logger
from datastill.runs.configuration import plain, read_configuration, write_configuration
from datastill.runs.metrics import line, read_metrics

log = logger(__name__)

KEPT = 2
"""Checkpoints that are kept: if the newest is damaged, the one before is used."""
SECONDS_UNSEEN = 0.5
"""Figures reach the file after this long, at the next line, so that other processes can read them."""
EXTENDABLE = ("iterations", "validate_at.iterations", "asked", "data.held_out", "made_by", "continued_by", "encoders")
"""What may differ between a run and its continuation: no step depends on it, or the fingerprint of the data says it."""
EARLIER = {f"validate_at.{field}": value for field, value in describe(Protocol()).items()}
"""What files of earlier versions leave out, with its value at that time."""
VALIDATIONS = "validate_at."
MARKED_BEFORE = ("validate_at.network", "validate_at.epochs")
"""Of validations, on which no checkpoint depends, what those of earlier versions were marked with."""
CHECKPOINT = re.compile(r"([0-9]{8,})\.safetensors")
"""What checkpoints are called, by their iteration; other files beside them are not ours."""


class Run:
    """The folder of one run. From `begin` to `close` no other process can begin it.

    Attributes:
        folder: ``config.yaml``, ``metrics.jsonl``, ``checkpoint/``, ``snapshots/``, ``previews/`` and, at the end, ``distilled/``. The
            configuration's ``made_by`` is what started the run; ``continued_by`` lists what continued it, where that differs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._identities: tuple[str, ...] = ("",)
        self._metrics: TextIO | None = None
        self._shown = 0.0
        self._held = contextlib.ExitStack()

    def begin(self, config: Mapping[str, Any], *, resume: bool) -> tuple[int, dict[str, Tensor]]:
        """Open the folder, new or to be continued.

        Args:
            config: Everything needed to repeat the run.
            resume: Whether to continue what is there.

        Returns:
            Steps done, and the state to restore (empty for a new run).

        Raises:
            UserError: If the folder holds a run and `resume` is false, a run with another configuration or more iterations, a run that
                another process is at work on, or anything else.
        """
        self.close()
        self.existing(resume=resume)  # before a lock is left in a folder of something else
        self._held.enter_context(locked(self.folder / "config.yaml", f"the run in {self.folder}"))
        try:
            return self._begun(config, resume=resume)
        except BaseException:
            self.close()
            raise

    def _begun(self, config: Mapping[str, Any], *, resume: bool) -> tuple[int, dict[str, Tensor]]:
        iteration, state, existing, config = self._looked_up(config, resume=resume)
        for folder in ("", "checkpoint", "snapshots", "previews", "distilled", "distilled/data"):
            remove_leftovers(self.folder / folder)
        if existing is not None:
            going_on = iteration != config.get("iterations")
            makers = _makers(existing, plain(config.get("made_by")) if going_on else None)
            config = {**config, "encoders": existing.get("encoders", {}), **makers}
        write_configuration(self.folder / "config.yaml", config)
        self._truncate_metrics(iteration)
        return iteration, state

    def steps_done(self, config: Mapping[str, Any], *, resume: bool) -> int:
        """How many steps `begin` would go on from; refuses what it would refuse, and writes nothing."""
        return self._looked_up(config, resume=resume)[0]

    def _looked_up(
        self, config: Mapping[str, Any], *, resume: bool
    ) -> tuple[int, dict[str, Tensor], dict[str, Any] | None, Mapping[str, Any]]:
        """Steps done, their state, the configuration that is there, and the new one; see `begin`."""
        existing = self.existing(resume=resume)
        if existing is not None:
            self._require_same(existing, config)
            config = _with_protocol(existing, config)
        self._identities = (_identity(config), *([_identity(existing, MARKED_BEFORE)] if existing else []))
        iteration, state = self._newest()
        if iteration > config.get("iterations", iteration):
            raise UserError(
                f"{self.folder} has {iteration} iterations already; ask for at least as many `iterations`, or choose another `out`"
            )
        return iteration, state, existing, config

    def existing(self, *, resume: bool) -> dict[str, Any] | None:
        """The configuration of the run that is there; None if there is none, but room for one.

        Args:
            resume: Whether the run that is there is to be continued.

        Raises:
            UserError: If the folder holds a run and `resume` is false, or anything else.
        """
        existing = self.config()
        if existing is not None and not resume:
            raise UserError(f"{self.folder} already holds a run: continue it with `resume=True`, or choose another `out`")
        if existing is None and self.folder.is_dir() and not is_empty(self.folder):
            raise UserError(f"{self.folder} is not empty and does not hold a run; choose another `out`")
        return existing

    def config(self) -> dict[str, Any] | None:
        """The run's configuration, or None for a folder without one."""
        return read_configuration(self.folder / "config.yaml")

    def commits(self) -> list[str]:
        """The commits that took steps of it, the first one first."""
        config = self.config() or {}
        makers = [config.get("made_by", {}), *config.get("continued_by", [])]
        return list(dict.fromkeys(maker["commit"] for maker in makers if "commit" in maker))

    def bind(self, key: str, values: Mapping[str, str]) -> None:
        """Record what became known only after the run was opened, such as checksums of encoders; once written it must not change.

        Raises:
            UserError: If the run was started with other values.
        """
        config = self.config() or {}
        before = config.get(key)
        if before not in (None, {}) and before != dict(values):
            raise UserError(
                f"{self.folder} was started with other {key} ({before}) than now ({dict(values)}); restore them, or choose another `out`"
            )
        if before != dict(values):
            write_configuration(self.folder / "config.yaml", {**config, key: dict(values)})

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append a line to ``metrics.jsonl``."""
        try:
            if self._metrics is None:
                self._metrics, self._shown = open_to_append(self.folder / "metrics.jsonl"), time.monotonic()
            self._metrics.write(line(entry))
            if time.monotonic() - self._shown >= SECONDS_UNSEEN:
                self._metrics.flush()
                self._shown = time.monotonic()
        except OSError as error:
            raise storage_error(error, self.folder / "metrics.jsonl") from error

    def metrics(self) -> list[dict[str, Any]]:
        """Every intact line of ``metrics.jsonl`` (see `datastill.runs.metrics.read_metrics`), which should have all steps that are kept."""
        kept = max(self._checkpoints(), default=0)  # looked for before the lines, which are written first
        return read_metrics(self.folder / "metrics.jsonl", kept)

    def checkpoint(self, iteration: int, state: Mapping[str, Tensor]) -> None:
        """Write a checkpoint atomically, after the metrics it depends on, and drop the oldest."""
        self.flush()
        newest = self.folder / "checkpoint" / f"{iteration:08d}.safetensors"
        save_tensors(newest, state, {"iteration": str(iteration), "configuration": self._identities[0]})
        # One of a later iteration is damaged, or the run would have continued from it; counting it would displace intact ones.
        found = self._checkpoints()
        kept = [number for number in found if number <= iteration][-KEPT:]
        for number in set(found).difference(kept):
            found[number].unlink(missing_ok=True)

    def snapshot(self, iteration: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep what had been learned after an iteration, for curves."""
        save_tensors(self.folder / "snapshots" / f"{iteration:08d}.safetensors", tensors, {"iteration": str(iteration)})

    def preview(self, iteration: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep a few of the images after an iteration, in 8 bits, for pages."""
        save_tensors(self.folder / "previews" / f"{iteration:08d}.safetensors", tensors, {"iteration": str(iteration)})

    def flush(self) -> None:
        """Write the metrics to disk."""
        if self._metrics is None:
            return
        try:
            self._metrics.flush()
            os.fsync(self._metrics.fileno())
        except OSError as error:
            raise storage_error(error, self.folder / "metrics.jsonl") from error

    def close(self) -> None:
        """Close the metrics, and let other processes begin the run."""
        metrics, self._metrics = self._metrics, None
        try:
            if metrics is not None:
                metrics.close()
        except OSError as error:
            raise storage_error(error, self.folder / "metrics.jsonl") from error
        finally:
            self._held.close()

    def _checkpoints(self) -> dict[int, Path]:
        """The files of checkpoints by their iterations, the earliest first."""
        named = [(CHECKPOINT.fullmatch(path.name), path) for path in (self.folder / "checkpoint").glob("*")]
        return dict(sorted((int(match[1]), path) for match, path in named if match and path.is_file()))

    def _newest(self) -> tuple[int, dict[str, Tensor]]:
        for number, path in reversed(self._checkpoints().items()):
            try:
                state, text = load_tensors(path)
                if text.get("iteration") != str(number):
                    raise UserError(f"{path} is of iteration {text.get('iteration', 'unknown')[:20]}, not {number}")
            except UserError as error:
                log.warning("%s; the previous checkpoint is used", error)
                continue
            if text.get("configuration") not in self._identities:
                raise UserError(f"{path} does not belong to the configuration of {self.folder}: remove it, or choose another `out`")
            return number, state
        return 0, {}

    def _require_same(self, existing: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        before, now = flat(existing), flat(plain(config))
        if "validate_at" in existing:
            before = {**{key: value for key, value in EARLIER.items() if key in now}, **before}
        validates = now.get("validate_at.iterations") and (before.get("validate_at.iterations") or self._validated())
        changed = [
            f"{key} was {before.get(key, 'not set')}, is {now.get(key, 'not set')}"
            for key in sorted({*before, *now})
            if before.get(key) != now.get(key) and not _extendable(key) and (validates or not key.startswith(VALIDATIONS))
        ]
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise UserError(
                f"{self.folder} holds a run with another configuration ({'; '.join(changed[:3])}{more}): "
                f"repeat it with the same options, or choose another `out`"
            )

    def _validated(self) -> bool:
        return any("validation_accuracy" in entry for entry in self.metrics())

    def _truncate_metrics(self, iteration: int) -> None:
        kept = [entry for entry in self.metrics() if entry["iteration"] <= iteration]
        if kept or (self.folder / "metrics.jsonl").exists():
            write_atomic(self.folder / "metrics.jsonl", "".join(map(line, kept)))


def _with_protocol(existing: Mapping[str, Any], config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with the protocol of the run's earlier validations, where it makes none itself."""
    before, now = existing.get("validate_at") or {}, config.get("validate_at") or {}
    if now.get("iterations") or not now:
        return config
    return {**config, "validate_at": {**now, **before, "iterations": now["iterations"]}}


def _identity(config: Mapping[str, Any], marked: Sequence[str] = ()) -> str:
    """A hash of what checkpoints depend on, and of what else they are marked with."""
    leaves = flat(plain(config)).items()
    fixed = {key: value for key, value in leaves if key in marked or not (_extendable(key) or key.startswith(VALIDATIONS))}
    return hashlib.blake2b(json.dumps(fixed, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()


def _makers(existing: Mapping[str, Any], now: Any) -> dict[str, Any]:
    """What started a run and what else took steps of it, each (version, commit and machine) once."""
    first, others = existing.get("made_by", now), list(existing.get("continued_by", []))
    if now not in (None, first, *others):
        others.append(now)
    return {key: value for key, value in (("made_by", first), ("continued_by", others)) if value}


def _extendable(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in EXTENDABLE)
