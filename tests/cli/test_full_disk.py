"""A full disk is one line, whoever meets it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from commands import TINY_RUN
from datastill.cli import main, program
from datastill.distilled import DistilledSet
from full_disks import files_of_at_most


def test_a_run_says_that_the_disk_is_full_in_one_line_and_continues(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["distill", "digits", *TINY_RUN, "--out", str(tmp_path / "run"), "--checkpoint-seconds", "0", "--resume"]
    with files_of_at_most(5000), pytest.raises(SystemExit) as stopped:
        main(command)
    assert stopped.value.code == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("datastill: ")]
    assert len(said) == 1
    assert "to write" in said[0]
    assert said[0].endswith("what was written before is intact: free some space and run the command again")
    main(command)
    assert len(DistilledSet.load(tmp_path / "run").images) == 10


def test_a_full_disk_that_another_package_meets_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def compiling(*arguments: object, **options: object) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/kernel.cpp")
        except OSError as error:
            raise RuntimeError("backend failed:\nand much more") from error

    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(program, "app", compiling)
    with pytest.raises(SystemExit) as stopped:
        main(["pretrain", "digits"])
    assert stopped.value.code == 2
    line = "datastill: No space left on device: /tmp/kernel.cpp; free some space; the same command continues"
    assert capsys.readouterr().err.splitlines() == [line]
    monkeypatch.setattr(program, "app", broken)
    with pytest.raises(RuntimeError, match="something else"):
        main(["pretrain", "digits"])
