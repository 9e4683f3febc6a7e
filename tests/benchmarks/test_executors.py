"""The benchmark of places for cells: every place gives the same records, and the page says what the measurements say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import executors


def test_all_places_are_measured_and_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = ["--data", "digits[0-1]", "--cells", "2", "--iterations", "1", "--epochs", "1", "--no-ray", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["executors", *small])
    executors.main()
    rows = json.loads((tmp_path / "measurements.json").read_text())["rows"]
    assert rows[0]["place"] == "one process"
    assert len(rows) == 2
    assert all(row["seconds"] > 0 for row in rows)
    page = (tmp_path / "README.md").read_text()
    assert f"| one process | {rows[0]['cores']} | {rows[0]['seconds']:.1f} | 1.00 |" in page
    assert "`dm+cm` on digits[0-1] at IPC 2, iterations: 1, epochs of the one network: 1." in page


def test_other_records_are_no_measurement() -> None:
    first, second = ({"place": name, "cores": 1} for name in ("here", "there"))
    assert executors.compared([(first, {"seed0": "a"}), (second, {"seed0": "a"})]) == [first, second]
    assert executors.compared([(first, {"seed0": "a"}), ({**second, "cores": 2}, {"seed0": "b"})])
    with pytest.raises(RuntimeError, match="there gives other records than another place with as many cores a cell"):
        executors.compared([(first, {"seed0": "a"}), (second, {"seed0": "b"})])
