"""Messages of the library name arguments; only the command line knows flags, and turns the one into the other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import datastill
from datastill.cli.program import flags

ROOMS = Path(str(datastill.__file__)).parent
KNOW_FLAGS = ("cli", "report")
"""The command line, and what prints its commands and pages for people."""
MODULES = sorted(path for path in ROOMS.rglob("*.py") if path.relative_to(ROOMS).parts[0] not in KNOW_FLAGS)
SAID = ("UserError", "info", "warning", "error", "unknown")
"""What a message is said with."""


def texts(node: ast.AST) -> str:
    """The text of a call's arguments, what is filled in left out."""
    return " ".join(part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))


def messages(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [texts(call) for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) in SAID]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOMS)))
def test_no_message_of_the_library_names_a_flag(module: Path) -> None:
    assert [message for message in messages(module) if re.search(r"(^|[ (`])--[a-z]", message)] == []


def test_messages_are_found() -> None:
    found = [message for module in MODULES for message in messages(module)]
    assert len(found) > 200
    assert any("already holds a run: continue it with `resume=True`" in message for message in found)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("use `ipc=2` or more", "use --ipc 2 or more"),
        ("lower the `learning_rate`", "lower the --lr"),
        ("use `initialisation=noise`", "use --init noise"),
        ("`by_class=false`, or `pretrained.most=2`", "--set by_class=false, or --set pretrained.most=2"),
        ("use another network, `matching.network=NAME`", "use another network, --set matching.network=NAME"),
        ("`format=dc` or another `out`", "--format dc or another --out"),
        ("leave it out with `skip_broken=True`", "leave it out with --skip-broken"),
        ("`target(real)` of `something`", "`target(real)` of `something`"),
        ("which `datastill.evaluate` wrote", "which `datastill evaluate` wrote"),
    ],
)
def test_the_command_line_turns_them_into_its_own(said: str, shown: str) -> None:
    assert flags(said) == shown
