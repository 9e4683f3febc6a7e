"""The origin in the header of a set: odd text does no harm, and numbers that cannot be are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datastill import DistilledSet
from datastill.distilled.formats import FORMATS, export
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from datastill.report.summary import show
from tiny_sets import distilled_set

NAMES = {"half of a character": "\ud800", "bytes of latin-1": "caf\udce9", "control characters": "a\x1b[31m\n\x00b", "long": "x" * 3000}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_set_with_an_odd_class_name_is_saved_read_shown_and_exported(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = distilled_set((name, "dog", "ship"))
    found = DistilledSet.load(saved.save(tmp_path / "set"))
    assert found.origin == saved.origin
    show(tmp_path / "set", None, 10, found)
    assert capsys.readouterr().out.isascii()
    for format in FORMATS:
        assert export(found, tmp_path / format, format).exists()


@pytest.mark.parametrize(
    "change", [{"iterations": -9}, {"held_out": 0.7}, {"held_out": -0.1}, {"seed": 1.5}, {"seed": True}, {"factor": 0}, {"data": 3}]
)
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = distilled_set().save(tmp_path / "set") / "images.safetensors"
    tensors, text = load_tensors(path)
    save_tensors(path, tensors, {**text, "origin": json.dumps({**json.loads(text["origin"]), **change})})
    with pytest.raises(UserError, match=r"images.safetensors is (damaged|not valid)"):
        DistilledSet.load(path)
