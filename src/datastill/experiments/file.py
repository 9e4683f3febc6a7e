"""Experiments of one's own as YAML files, which give the same specifications as the built-in ones."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from datastill.data.catalogue import parse
from datastill.engine.policy import Policy
from datastill.errors import UserError, unknown
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.schema import PARTS, DataEntry, MethodEntry, Table, spelt_out
from datastill.experiments.specification import Block, Experiment, Row, Specifications
from datastill.files import read_regular, reason, write_atomic
from datastill.logs import logger
from datastill.methods import method
from datastill.runs.configuration import PlainLoader

log = logger(__name__)

FILES = (".yaml", ".yml")
"""How the names of such files end."""
SHARED = ("iterations", "seeds", "validate_at", "validation_epochs", "repeats")
"""What a data set may have different from the rest of the table, beside its IPCs."""


WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping of keys to values",
    "dataclass_type": "a mapping of keys to values",
    "too_short": "a list of at least one",
}
"""What was expected, by pydantic's name of the problem."""


class _Loader(PlainLoader):
    """Also refuses a key that is there twice, the first of which would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Read a mapping."""
        before = []
        for key, _ in node.value:
            name = self.construct_object(key, deep=True)
            if name in before:
                raise UserError(f"line {key.start_mark.line + 1} has the key '{name}' again")
            before.append(name)
        return super().construct_mapping(node, deep)


def read_experiment(path: Path | str) -> tuple[str, Experiment]:
    """Read an experiment, and check what can be checked before its data is read.

    Args:
        path: A YAML file; the guide has an example, and says what every key means.

    Returns:
        Its name, which is that of the file without the ending, and the specification.

    Raises:
        UserError: If there is no such file, or a key, a name or a value in it is unknown or does not fit.
    """
    path = Path(path)
    if path.stem in EXPERIMENTS:
        raise UserError(f"{path} has the name of a built-in experiment, and would be mixed with its results: rename the file")
    try:
        table = Table.model_validate_json(json.dumps(spelt_out(_content(path)), default=str))
        experiment = _experiment(path.stem, table)
        _check(path.stem, experiment)
    except ValidationError as error:
        raise UserError(f"{path}: {_problem(error)}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return path.stem, experiment


def named(name: str) -> tuple[str, Specifications]:
    """The name of an experiment, and all that can be run beside it, whether it is built in or in a file.

    Args:
        name: Of a built-in experiment, or of a YAML file.
    """
    if Path(name).suffix not in FILES:
        return name, EXPERIMENTS
    own, experiment = read_experiment(name)
    return own, {**EXPERIMENTS, own: experiment}


def keep(path: Path | str, results: Path) -> None:
    """Copy a file beside its results, from where `kept` reads it."""
    target = results / Path(path).stem / Path(path).with_suffix(FILES[0]).name
    if target.exists() and target.samefile(path):
        return
    write_atomic(target, read_regular(Path(path)))


def kept(results: Path) -> dict[str, Experiment]:
    """The experiments of files that have results there, by name; one that cannot be read any more is passed over with a warning."""
    found = {}
    for path in sorted(results.glob(f"*/*{FILES[0]}")):
        if path.stem == path.parent.name:
            try:
                found[path.stem] = read_experiment(path)[1]
            except UserError as error:
                log.warning("%s", error)
    return found


def _content(path: Path) -> dict[Any, Any]:
    try:
        content = yaml.load(read_regular(path), _Loader)  # derived from the safe loader
    except FileNotFoundError as error:
        raise UserError("there is no such file") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UserError(f"is not YAML ({line}{error.problem})") from error
    except UserError:
        raise
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"cannot be read ({reason(error)})") from error
    if not isinstance(content, dict):
        raise UserError(f"expected keys with values, such as data: digits, got {repr(content)[:60]}")
    return content


def _experiment(name: str, table: Table) -> Experiment:
    return Experiment(
        title=" ".join(table.title.split()) or name,
        blocks=tuple(_block(entry, table) for entry in table.data),
        rows=tuple(_row(entry, name) for entry in table.methods),
        settings=table.settings,
        preset=table.preset,
        split=table.split,
        compare=table.compare,
        policy=Policy(table.precision, table.compile),
        remark=table.remark.strip(),
        protocol=table.protocol,
        by_size=True,
        keep_sets=table.keep_sets,
    )


def _block(entry: DataEntry, table: Table) -> Block:
    parse(entry.data)  # a name that is unknown is told before anything else
    own = {field: getattr(entry, field) for field in SHARED}
    budget = {field: getattr(table, field) if value is None else value for field, value in own.items()}
    return Block(entry.data, entry.ipc or table.ipc, settings=entry.settings, epochs=entry.epochs, label=entry.label, **budget)


def _row(entry: MethodEntry, name: str) -> Row:
    steps = method(entry.method).steps
    return Row(
        entry.method,
        entry.published,
        entry.settings,
        entry.label,
        entry.preset,
        iterations=entry.iterations if steps is None else 0,
        validate_at=entry.validate_at,
        network=entry.network,
        of=entry.of if "/" in entry.of or not entry.of else f"{name}/{entry.of}",
        inherits=steps is None,
    )


def _check(name: str, experiment: Experiment) -> None:
    """Compose every method, and refuse what would only be refused in the middle of the table."""
    places = {(block.name, ipc) for block in experiment.blocks for ipc in block.ipcs}
    for row in experiment.rows:
        if isinstance(row.paper, dict) and (strange := set(row.paper) - places):
            data, ipc = sorted(strange)[0]
            raise UserError(f"published has a number for {row.name} on {data} at IPC {ipc}, but the table has no such cell")
    for cell in experiment.cells(name, {**EXPERIMENTS, name: experiment}):
        method(cell.method, data=cell.data, ipc=cell.ipc, preset=cell.preset, settings=cell.settings)
        if late := [iteration for iteration in cell.validate_at if iteration > cell.iterations]:
            raise UserError(f"validate_at has {late[0]}, but {cell.method} on {cell.data} has {cell.iterations} iterations")


def _problem(error: ValidationError) -> str:
    """The first of the problems in one line."""
    found = error.errors()
    strange = [each for each in found if each["type"] in ("extra_forbidden", "unexpected_keyword_argument")]
    first = (strange or found)[0]  # a misspelt key is also missing
    *outer, last = first["loc"]
    owner, place = _path(outer), _path(first["loc"])
    if strange:
        part = PARTS[str(outer[0])] if outer else Table
        known = [field.name for field in fields(part)] if is_dataclass(part) else list(part.model_fields)
        return str(unknown(f"key of {owner}" if owner else "key", str(last), known))
    if first["type"] == "missing":
        return f"{owner or 'the file'} lacks the key '{last}'"
    if isinstance(cause := first.get("ctx", {}).get("error"), UserError):
        return f"{place}: {cause}"
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        return str(unknown(f"value of {place}:", first["input"], re.findall("'([^']+)'", first["ctx"]["expected"])))
    words = WORDS.get(first["type"]) or first["msg"].replace("Input should be ", "")
    advice = " (YAML takes 1e-3 for text: write 1.0e-3)" if first["type"] == "float_type" and isinstance(first["input"], str) else ""
    return f"{place} must be {words}, got {first['input']!r}{advice}"


def _path(steps: Sequence[int | str]) -> str:
    """Where in the file.

    Example:
        >>> _path(("methods", 1, "published"))
        'methods[1].published'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
