"""Everything that is written goes through `datastill.files`, where it is written as a whole and follows no link."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import datastill

SOURCE = Path(datastill.__file__).parent
FILES = sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE / "files")
WRITERS = {
    "write_text", "write_bytes", "mkdir", "makedirs", "rename", "renames", "rmdir", "rmtree", "copyfile", "copyfileobj", "copy2",
    "copytree", "move", "touch", "symlink_to", "hardlink_to", "symlink", "link", "mkstemp", "mkdtemp", "NamedTemporaryFile",
    "TemporaryDirectory", "TemporaryFile", "save_file", "to_parquet", "to_csv", "tofile", "savetxt", "savez", "savez_compressed",
}  # fmt: skip
"""Methods and functions that write files or folders themselves."""
INTO_BUFFERS = {"savefig", "write_table", "torch.save", "np.save"}
"""Those that write into what they are given, which must be in memory."""


def name(call: ast.Call) -> tuple[str, str]:
    """What is called, without and with what it is of."""
    function = call.func
    short = function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    return short, ast.unparse(function)


def writes(call: ast.Call) -> bool:
    short, full = name(call)
    if short in INTO_BUFFERS or full in INTO_BUFFERS:
        return not any(isinstance(argument, ast.Name) and argument.id == "buffer" for argument in call.args)
    if short in ("open", "fdopen"):
        modes = [argument.value for argument in (*call.args, *(each.value for each in call.keywords)) if isinstance(argument, ast.Constant)]
        return any(isinstance(mode, str) and len(mode) <= 3 and set(mode) & set("wax+") for mode in modes)
    return short in WRITERS


def found(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and writes(node):
            yield f"line {node.lineno}: {ast.unparse(node)[:80]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_writes_by_itself(path: Path) -> None:
    assert list(found(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        'path.write_text("x")',
        'path.open("w")',
        'open(path, mode="ab")',
        'path.open("r+b")',
        "torch.save(state, path)",
        "figure.savefig(path, format='png')",
        "shutil.copyfile(one, other)",
        "folder.mkdir()",
    ],
)
def test_a_writer_is_seen(line: str) -> None:
    assert list(found(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ['path.open("rb")', "torch.save(state, buffer)", "path.read_text()", "method.open(data, engine)", "open(path)"]
)
def test_a_reader_is_not_taken_for_a_writer(line: str) -> None:
    assert not list(found(ast.parse(line)))
