"""Running the command in tests."""

from __future__ import annotations

import pytest

from datastill.cli import main

TINY_RUN = ("--method", "dm", "--ipc", "1", "--iterations", "3", "--real-batch", "8")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail as a user's mistake, and return its one line."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    lines = printed.err.splitlines()
    assert [line.startswith("datastill: ") for line in lines] == [True], printed.err
    return lines[0]
