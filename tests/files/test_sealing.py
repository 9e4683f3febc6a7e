from __future__ import annotations

import json

import pytest

from datastill.errors import UserError
from datastill.files import sealed, unsealed

CONTENT = {"iteration": 3, "loss": 0.1 + 0.2, "names": ["a", "é"], "deep": {"x": None}}


@pytest.mark.parametrize("length", [8, 32])
def test_values_come_back_through_json(length: int) -> None:
    read = json.loads(json.dumps(sealed(CONTENT, length)))
    assert len(read["checksum"]) == length
    assert unsealed(read, "it") == (CONTENT, True)


CHANGES: tuple[dict[str, object], ...] = (
    {"iteration": 4}, {"iteration": 3.0}, {"iteration": True}, {"loss": 0.3}, {"names": ["a", "e"]}, {"more": 1},
    {"checksum": ""}, {"checksum": 7}, {"checksum": "0"}, {"checksum": None},
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_does_not_match(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^the line is damaged, or was changed by hand: its content does not match its checksum$"):
        unsealed({**sealed(CONTENT), **change}, "the line")


def test_values_without_a_checksum_say_so() -> None:
    assert unsealed(CONTENT, "it") == (CONTENT, False)


def test_what_json_cannot_hold_does_not_match() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for odd in (deep, object(), {1, 2}):
        with pytest.raises(UserError, match="does not match its checksum"):
            unsealed({"odd": odd, "checksum": "-" * 8}, "it")
