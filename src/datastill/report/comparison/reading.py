"""Finding what was measured in folders of runs and of results, and in files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from datastill.configuration import describe, restore
from datastill.distilled.folder import IMAGES
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments.record import RECORD, Record
from datastill.experiments.stored import record_of
from datastill.files import CHECKSUM, read_regular, read_sealed, reason
from datastill.labels import HARD
from datastill.report.comparison.measured import Conditions, Measured, values_of
from datastill.runs import Run


class _Score(BaseModel):
    accuracies: Annotated[tuple[Annotated[float, Field(ge=0, le=100)], ...], Field(min_length=1)]


class _Evaluation(_Score):
    """What is read of an evaluation's JSON."""

    data: str
    split: str
    seed: int
    protocol: dict[str, Any]
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]
    images: int = 0
    fingerprint: str = ""
    labels: str = HARD
    learning_rate: float | None = None
    engine: dict[str, Any] = {}
    comparisons: dict[str, _Score] = {}
    made: dict[str, Any] = {}


def read(path: Path, results: Path | None = None) -> tuple[list[Measured], list[Path]]:
    """Read everything that was measured.

    Args:
        path: The folder of a run, of results, or of several of them; or the file of an evaluation or a record.
        results: The folder of all results, whose records tell of the runs of experiments that no evaluation lies in; None for none.

    Returns:
        What was measured, and the folders of sets that have not been evaluated.

    Raises:
        UserError: If there is no such path, or a file in it is damaged.
    """
    if not path.exists():
        raise UserError(f"there is no {path}: expected a run's folder, a folder of results, or the JSON of an evaluation")
    if not path.is_file() and not path.is_dir():
        raise UserError(f"{path} is no file and no folder: expected a run's folder, a folder of results, or the JSON of an evaluation")
    if path.is_file():
        found = list(_file(path, {}))
        if not found:
            raise UserError(f"{path} is not an evaluation: expected a file of `datastill evaluate --out`, or a {RECORD}")
        return found, []
    if (path / RECORD).exists():
        return list(_file(path / RECORD, {})), []
    config = Run(path).config() or {}
    evaluated = [found for file in sorted(path.glob("*.json")) for found in _file(file, config)]
    if "method" in config or (path / IMAGES).exists() or evaluated:
        evaluated = evaluated or list(_recorded(path, config, results)) or list(_validated(path, config))
        return evaluated, [] if evaluated else [path]
    inner = [read(folder, results) for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
    return [one for found, _ in inner for one in found], [one for _, without in inner for one in without]


def _file(path: Path, config: Mapping[str, Any]) -> Iterator[Measured]:
    """What a JSON file holds: a record, an evaluation, or evaluations with several networks; nothing for other files."""
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: it cannot be read as JSON ({reason(error)})") from error
    if not isinstance(content, dict) or not {"distilled_by", "accuracies", "networks", CHECKSUM} & set(content):
        return
    values, checked = read_sealed(path)
    try:
        if "distilled_by" in values:
            yield _record(record_of(Record, values, checked, path), path)
        elif "accuracies" in values:
            yield _evaluation(_Evaluation.model_validate(values), path, config)
        elif isinstance(networks := values.get("networks"), dict):
            for each in networks.values():
                yield _evaluation(_Evaluation.model_validate(each), path, config)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "nested too deeply"}
        raise UserError(f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _record(record: Record, path: Path) -> Measured:
    cell = record.cell
    random = record.comparisons.get("random")
    row = cell.name.split("/")
    folder = path.parent.resolve()
    results = folder.parents[len(row) - 1] if folder.parts[-len(row) :] == tuple(row) else folder
    return Measured(
        source=str(path.parent),
        conditions=Conditions(
            cell.data,
            record.fingerprint,
            cell.split,
            replace(cell.protocol, epochs=record.evaluation_epochs),
            record.track,
            record.learned_rate is not None,
        ),
        made=str(results / cell.run),
        name=row[-2] if row[-1] == f"seed{cell.seed}" else row[-1],
        ipc=cell.ipc,
        images=record.images,
        values=values_of(record.method, cell.iterations),
        seed=cell.seed,
        evaluation_seed=cell.seed,
        accuracies=record.score.accuracies,
        random=random.accuracies if random else (),
        precision=record.evaluated_by.precision,
    )


def _evaluation(found: _Evaluation, path: Path, config: Mapping[str, Any]) -> Measured:
    protocol = protocol_of(found.protocol, path)
    run = config.get("method", {})
    random = found.comparisons.get("random")
    ipc = config.get("ipc", found.images / len(found.class_names))
    return Measured(
        source=str(path.parent if run else path),
        conditions=Conditions(
            found.data,
            found.fingerprint or config.get("data", {}).get("fingerprint", ""),
            found.split,
            protocol,
            found.labels,
            found.learning_rate not in (None, protocol.learning_rate),
        ),
        made=str(path.parent.resolve() if run else path.resolve()),
        name=str(run.get("name") or found.made.get("method") or path.stem),
        ipc=ipc,
        images=found.images,
        values=values_of(run, config.get("iterations")) if run else {"iterations": found.made.get("iterations")},
        seed=config.get("seed"),
        evaluation_seed=found.seed,
        accuracies=found.accuracies,
        random=random.accuracies if random else (),
        precision=str(found.engine.get("precision", "")),
    )


def _recorded(path: Path, config: Mapping[str, Any], results: Path | None) -> Iterator[Measured]:
    """What the records of experiments say of the set of a run: of an experiment's runs, the path below theirs is in the records."""
    parts = path.resolve().parts
    for start in range(1, len(parts) if results is not None and "method" in config else 0):
        run, folder = "/".join(parts[start:]), Path(results or "", parts[start])
        for file in sorted(folder.rglob(RECORD)) if folder.is_dir() else ():
            values, checked = read_sealed(file)
            if isinstance(cell := values.get("cell"), dict) and cell.get("run") == run:
                record = record_of(Record, values, checked, file)
                steps = record.cell.iterations or config.get("iterations")
                distilled = (record.cell.ipc, record.cell.seed, record.fingerprint, values_of(record.method, steps))
                made = values_of(config["method"], config.get("iterations"))
                if distilled == (config.get("ipc"), config.get("seed"), config.get("data", {}).get("fingerprint"), made):
                    yield replace(_record(record, file), source=str(path))


def _validated(path: Path, config: Mapping[str, Any]) -> Iterator[Measured]:
    """The last point of a run's curve: one network on the validation split."""
    curve = [entry for entry in Run(path).metrics() if "validation_accuracy" in entry]
    if not curve or "method" not in config:
        return
    if missing := {"data", "validate_at", "ipc", "seed", "engine"} - set(config):
        raise UserError(f"{path / 'config.yaml'} is damaged: it lacks {', '.join(sorted(missing))}")
    asked = {key: value for key, value in config["validate_at"].items() if key != "iterations"}
    data, last = config["data"], curve[-1]
    protocol = protocol_of(asked, path / "config.yaml")
    yield Measured(
        source=str(path),
        conditions=Conditions(data["name"], data["fingerprint"], "validation", protocol, last.get("labels", HARD)),
        made=str(path.resolve()),
        name=config["method"]["name"],
        ipc=config["ipc"],
        images=0,
        values=values_of(config["method"], last["iteration"]),
        seed=config["seed"],
        evaluation_seed=config["seed"],
        accuracies=(last["validation_accuracy"],),
        precision=str(config["engine"].get("precision", "")),
    )


def protocol_of(content: Mapping[str, Any], path: Path) -> Protocol:
    """A protocol as it was written; files of earlier versions lack fields that had their default.

    Args:
        content: Its fields.
        path: Where they were read from, for messages.
    """
    protocol = restore({**describe(Protocol()), **content}, Protocol, f"{path}: protocol")
    return replace(protocol, epochs=protocol.passes)
