"""The list of rooms that people read is the one that import-linter enforces."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_contributing_names_the_rooms_in_the_order_that_is_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    enforced = [room for layer in reversed(layers) for room in layer.split(" : ")]
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## The rooms")[2].partition("\n## ")[0]
    entries = " ".join(re.findall(r"^(?:\d+\.|  ) .*", section, flags=re.MULTILINE))
    assert list(dict.fromkeys(re.findall(r"`(\w+)`", entries))) == enforced
