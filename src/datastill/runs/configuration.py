"""The file ``config.yaml`` of a run: written with a checksum, read back with the types that the program needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datastill.errors import UserError
from datastill.files import CHECKSUM, read_regular, reason, sealed, unsealed, write_atomic

CHANGED = "restore it, or remove its last line, the checksum, to take it as it is"


WORDS = {
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "greater_than_equal": "at least 1",
}
"""What pydantic's complaints ask for."""


class _Part(BaseModel):
    """What this program reads of a part; all of it may be absent, and everything else in it may be anything."""

    model_config = ConfigDict(strict=True)


class _Maker(_Part):
    commit: str = ""
    machine: dict[str, str | int] = {}


class _Encoder(_Part):
    every: int = Field(1, ge=1)
    recipe: dict[str, Any] | None = None


class _Method(_Part):
    name: str = ""
    encoders: dict[str, _Encoder] = {}
    terms: dict[str, dict[str, Any]] = {}


class _Configuration(_Part):
    data: dict[str, Any] = {}
    method: _Method = _Method()
    ipc: int = 1
    seed: int = 0
    iterations: int = 1
    engine: dict[str, Any] = {}
    validate_at: dict[str, Any] | None = None
    asked: dict[str, Any] | None = None
    encoders: dict[str, str] | None = None
    made_by: _Maker = _Maker()
    continued_by: list[_Maker] = []


class PlainLoader(yaml.SafeLoader):
    """Reads no references to other parts of the file, with which a small file becomes a large structure."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Read a part of the file."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it holds references (*NAME), which are not read")
        return super().compose_node(parent, index)


def write_configuration(path: Path, config: Mapping[str, Any]) -> None:
    """Write a configuration, the checksum of its values last."""
    write_atomic(path, yaml.safe_dump(sealed(plain(config)), sort_keys=False, width=120))


def read_configuration(path: Path, *, changed: bool = False) -> dict[str, Any] | None:
    """A run's configuration, as plain values; None if there is no such file.

    Args:
        path: The file.
        changed: Whether it may have been changed by hand since it was written. Then the caller looks at every value.

    Raises:
        UserError: If it cannot be read; if it was not to be changed, also if it has values of other types than a run's, or does not match
            its checksum, where it has one.
    """
    try:
        content: Any = yaml.load(read_regular(path), PlainLoader)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({reason(error)})") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise UserError(f"{path} is damaged: expected the configuration of a run")
    try:
        content, _ = unsealed(content, str(path))
        if not changed:
            _Configuration.model_validate(content)
    except UserError as error:
        if not changed:
            raise UserError(f"{error}: {CHANGED}") from error
        content.pop(CHECKSUM)
    except ValidationError as error:
        raise UserError(f"{path} is damaged: {_first(error)}") from error
    return {str(key): value for key, value in content.items()}


def plain(value: Any) -> Any:
    """Turn tuples into lists, as they come back from YAML."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _first(error: ValidationError) -> str:
    """What is wrong with a value, in words."""
    found = error.errors()[0]
    must = WORDS.get(found["type"], "something else")
    return f"{'.'.join(map(str, found['loc']))} must be {must}, got {str(found['input'])[:60]!r}"
