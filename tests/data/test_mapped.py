"""A memory-mapped split is checked once, when it is opened: other pixels than those that were decoded never come back."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datastill.data.storage import BLOCK, RawSplit, arrange

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)


@pytest.fixture(autouse=True)
def mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    return tmp_path / "mapped"


def opened(pixels: NDArray[np.uint8] = PIXELS) -> NDArray[np.uint8]:
    """The split, as it is found in the cache or decoded."""

    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield pixels

    split = RawSplit(np.zeros(len(pixels), dtype=np.int64), 3, (pixels.shape[2], pixels.shape[3]), blocks, "by hand")
    return arrange(split, 1, budget=0).gather(torch.arange(len(pixels))).numpy()


def file(mapped: Path) -> Path:
    (path,) = mapped.glob("*.npy")
    return path


def test_a_flipped_bit_anywhere_is_decoded_again(mapped: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened()
    whole = file(mapped).read_bytes()
    for place in random.Random(0).sample(range(len(whole)), 60):
        file(mapped).write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert np.array_equal(opened(), PIXELS)
        assert "its images are decoded again" in caplog.text or file(mapped).read_bytes()[place] != whole[place]


@pytest.mark.parametrize("end", ["", "[]", "{", '{"checksums": [1]}', "[" * 100_000, '{"checksums": [], "checksum": "00000000"}'])
def test_a_file_without_its_checksums_is_decoded_again(mapped: Path, end: str, caplog: pytest.LogCaptureFixture) -> None:
    opened()
    whole = file(mapped).read_bytes()
    checksums = whole.rindex(b'{"checksums"')
    assert len(json.loads(whole[checksums:])["checksums"]) == 1
    changed = bytearray(whole[:checksums] + end.encode())
    changed[checksums - 1] ^= 1  # damage that nothing else would show
    file(mapped).write_bytes(bytes(changed))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(opened(), PIXELS)
    expected = "is damaged" if end else "was written by an earlier version, without checksums"
    assert f"{expected}: its images are decoded again" in caplog.text
    assert file(mapped).read_bytes() == whole


def test_every_block_has_its_checksum(mapped: Path, caplog: pytest.LogCaptureFixture) -> None:
    large = np.random.default_rng(1).integers(0, 256, (3, 3, 700, 700), dtype=np.uint8)
    assert BLOCK < large.nbytes < 2 * BLOCK
    opened(large)
    whole = file(mapped).read_bytes()
    for place in (1000, 1000 + BLOCK):
        file(mapped).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert np.array_equal(opened(large), large)
    assert caplog.text.count("is damaged: its images are decoded again") == 2
