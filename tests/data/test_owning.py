"""Pixels in the cache are decoded by one process; others wait and map them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from datastill.data.storage import RawSplit, arrange
from datastill.errors import UserError
from datastill.files import locked

LABELS = np.array([1, 0, 1, 0], dtype=np.int64)
PIXELS = np.arange(4 * 3 * 64, dtype=np.uint32).astype(np.uint8).reshape(4, 3, 8, 8)


@pytest.fixture(autouse=True)
def mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; gives where memory-mapped splits are in it."""
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mapped"


def split(*, decodable: bool = True) -> RawSplit:
    def blocks() -> Iterator[NDArray[np.uint8]]:
        if not decodable:
            raise AssertionError("decoded although another process does")
        yield PIXELS

    return RawSplit(LABELS, 3, (8, 8), blocks, "made by hand")


def test_what_another_process_decodes_is_waited_for_and_mapped(mapped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = arrange(split(), 2, budget=0)
    (path,) = mapped.iterdir()
    whole = shutil.move(path, tmp_path / "whole.npy")
    with ThreadPoolExecutor(1) as pool:
        with locked(path, "what another process decodes"):
            waiting = pool.submit(arrange, split(decodable=False), 2, budget=0)
            while not any("waiting for process" in record.getMessage() for record in caplog.records):
                assert not waiting.done()
                time.sleep(0.05)
            shutil.copyfile(whole, path)
        second = waiting.result(timeout=60)
    assert torch.equal(first.gather(torch.arange(4)), second.gather(torch.arange(4)))
    assert list(mapped.iterdir()) == [path]


def test_leftovers_are_removed_and_other_files_stay(mapped: Path) -> None:
    mapped.mkdir(parents=True)
    (mapped / ".datastill-0123456789abcdef.partial").write_bytes(b"half")
    (mapped / "0123456789abcdef.4711.partial").write_bytes(b"a user's")
    arrange(split(), 2, budget=0)
    assert sorted(path.suffix for path in mapped.iterdir()) == [".npy", ".partial"]
    assert (mapped / "0123456789abcdef.4711.partial").read_bytes() == b"a user's"


def test_a_cache_that_cannot_be_written_is_found_before_anything_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write .*npy .*choose another folder or fix its permissions"):
        arrange(split(decodable=False), 2, budget=0)
