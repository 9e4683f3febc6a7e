"""Which cells of an experiment are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datastill.configuration import words
from datastill.data.naming import source_of
from datastill.errors import UserError, unknown
from datastill.experiments.cell import AnyCell, ContinualCell, TeacherCell


def _row(cell: AnyCell) -> str:
    """What its row is called."""
    *_, row, last = cell.name.split("/")
    return row if not isinstance(cell, TeacherCell) and last == f"seed{cell.seed}" else last


KEYS: dict[str, Callable[[AnyCell], tuple[str, ...]]] = {
    "data": lambda cell: (cell.data, source_of(cell.data)),
    "ipc": lambda cell: () if isinstance(cell, TeacherCell) else (str(cell.ipc),),
    "method": lambda cell: (_row(cell),) if isinstance(cell, TeacherCell) else (cell.method, _row(cell)),
    "seed": lambda cell: () if isinstance(cell, TeacherCell) else (str(cell.seed),),
    "network": lambda cell: (cell.network if isinstance(cell, TeacherCell) else cell.protocol.network,),
    "steps": lambda cell: (str(cell.steps),) if isinstance(cell, ContinualCell) else (),
}
"""What a choice may name, with what every cell has under that name."""


def chosen(name: str, cells: Sequence[AnyCell], only: Sequence[str]) -> list[AnyCell]:
    """The cells that a choice names.

    Args:
        name: Of the experiment.
        cells: All of them.
        only: Entries such as ``data=cifar10``, ``ipc=10``, ``method=dm+iid``, ``seed=0`` and ``network=vgg11``, or parts of the names of
            cells, such as "dm", "digits-ipc2" or "digits-ipc2/dm/seed1". Entries with one key, and those without, are alternatives; a cell
            must have one of each. Empty for all cells.

    Raises:
        UserError: If an entry names nothing, or all together do.
    """
    only, by_key = words("only", only), dict[str, list[str]]()
    for entry in only:
        key, equals, value = entry.strip().partition("=")
        if not (value if equals else key):
            raise UserError(f"a choice of cells is KEY=VALUE, such as ipc=10, or the name of a row, got '{entry}'")
        if not equals and key not in _known(cells, name, "") and (of := [each for each in KEYS if key in _known(cells, name, each)]):
            raise UserError(f"'{key}' is no row of {name}: write {of[0]}={key}, with the key before every value")
        by_key.setdefault(key if equals else "", []).append(value if equals else key)
    found = list(cells)
    for key, values in by_key.items():
        if key and key not in KEYS:
            raise unknown("key", key, KEYS, hint="Choose cells by KEY=VALUE, or by a part of their name.")
        for value in values:
            if not any(_has(cell, name, key, value) for cell in cells):
                raise unknown(key or "row", value, _known(cells, name, key))
        found = [cell for cell in found if any(_has(cell, name, key, value) for value in values)]
    if only and not found:
        raise UserError(f"no cell of {name} has all of {', '.join(only)}")
    return found


def _has(cell: AnyCell, name: str, key: str, value: str) -> bool:
    return value in KEYS[key](cell) if key else f"/{value}/" in f"/{_own(cell, name)}/"


def _own(cell: AnyCell, name: str) -> str:
    """Its name, after the experiment's."""
    return cell.name.removeprefix(f"{name}/")


def _known(cells: Sequence[AnyCell], name: str, key: str) -> list[str]:
    """What may stand under a key."""
    return list(dict.fromkeys(value for cell in cells for value in (KEYS[key](cell) if key else _own(cell, name).split("/"))))
