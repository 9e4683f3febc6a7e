"""What is compiled when the program is started from the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datastill.engine import hardware


@pytest.mark.skipif(not any(map(shutil.which, hardware.COMPILERS)), reason="no compiler here")
def test_what_a_command_compiles_is_kept_in_the_cache(tmp_path: Path) -> None:
    # The command is refused only after it has tried the compiler.
    command = [sys.executable, "-m", "datastill", "distill", "digits", "--method", "dm", "--compile", "--iterations", "0"]
    environment = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_CACHE_DIR"}
    environment |= {"DATASTILL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([*command, "--out", str(tmp_path / "run")], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2, done.stderr
    assert "--iterations must be a whole number of at least 1, got 0" in done.stderr
    assert f"it is kept in {tmp_path / 'cache' / 'compiled'}" in done.stderr
    assert list((tmp_path / "cache" / "compiled").rglob("*.so"))
