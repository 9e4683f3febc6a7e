from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from datastill.report.terminal import say_line, say_table

HEAD = ("trained on", "accuracy %", "std", "95% interval")
ROWS = (("the distilled set", "70.54", "0.31", "70.15 to 70.93"), ("a random real subset of the same size", "60.12", "1.25", ""))
HOSTILE = "[red]cat[/] :smile: \x1b[2J\r\n---\u202e\udce9"
SHOWN = r"[red]cat[/] :smile: \x1b[2J\r\n---\u202e\udce9"


@pytest.mark.parametrize("columns", [*range(1, 40), 60, 80, 200])
def test_no_figure_is_cut_off(columns: int, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]) -> None:
    terminal(columns)
    say_table("scores", HEAD, ROWS)
    text = capsys.readouterr().out
    found = re.findall(r"[0-9]+\.[0-9]+(?: to [0-9.]+)?", text)
    assert sorted(found) == sorted(cell for row in ROWS for cell in row[1:] if cell)
    assert "…" not in text
    lines = text.splitlines()
    as_table = any("│" in line for line in lines)
    assert as_table == (columns >= 60)
    assert not as_table or max(map(len, lines)) <= columns


def test_what_stands_for_a_table_that_has_no_room(terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]) -> None:
    terminal(20)
    say_table("confusion", HEAD, ROWS, otherwise="elsewhere")
    assert capsys.readouterr().out == "confusion\nelsewhere\n"
    say_table("scores", HEAD, ROWS[1:])
    assert capsys.readouterr().out == "scores\na random real subset of the same size\n  accuracy % 60.12\n  std 1.25\n"


@pytest.mark.parametrize("columns", [20, 200])
def test_text_is_shown_and_not_obeyed(columns: int, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]) -> None:
    terminal(columns)
    say_line(HOSTILE)
    assert capsys.readouterr().out == f"{SHOWN}\n"
    say_table(HOSTILE, (HOSTILE, HOSTILE), [(HOSTILE, HOSTILE)])
    text = capsys.readouterr().out
    assert text.count(SHOWN) == (4 if columns == 20 else 5)  # where there is a table, the first column has a name as well
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
