from __future__ import annotations

from pathlib import Path

import pytest

from commands import TINY_RUN
from datastill.cli import main


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validated run of the command on digits; no test may change it."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    main(["distill", "digits", *TINY_RUN, "--validate-at", "0,3", "--validation-epochs", "1", "--seed", "4", "--out", str(folder)])
    return folder
