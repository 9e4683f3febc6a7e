"""What made a result is found without touching the checkout."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from datastill import provenance


@pytest.mark.skipif(not shutil.which("git"), reason="no git here")
def test_the_commit_is_found_and_the_checkout_is_not_written(tmp_path: Path) -> None:
    module = Path(shutil.copy(provenance.__file__, tmp_path))
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    os.utime(module, (1, 1))  # git would note the new time in its index
    before = (tmp_path / ".git" / "index").read_bytes()
    commit = runpy.run_path(str(module))["commit"]()
    assert len(commit) == 12
    assert subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.startswith(commit)
    assert (tmp_path / ".git" / "index").read_bytes() == before
    module.write_text(module.read_text() + "\n")
    assert runpy.run_path(str(module))["commit"]() == f"{commit}+"
