from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill import UserError
from datastill.files import load_tensors, locked, save_tensors
from datastill.kinds.distribution_matching.store import DEFAULT_LIMIT, LIMIT, TargetStore


def tensors(value: float = 0.0) -> dict[str, Tensor]:
    return {"mm/mean": torch.full((3, 100), value)}


def test_what_is_written_is_read_back_by_what_it_is_made_of(tmp_path: Path) -> None:
    store = TargetStore(tmp_path / "targets")
    assert store.read("this") is None
    store.write("this", tensors(1))
    store.write("that", tensors(2))
    for made_of, value in (("this", 1.0), ("that", 2.0)):
        found = TargetStore(tmp_path / "targets").read(made_of)
        assert found is not None
        assert torch.equal(found["mm/mean"], tensors(value)["mm/mean"])


def test_the_oldest_make_room_and_no_other_files_are_touched(tmp_path: Path) -> None:
    store = TargetStore(tmp_path)
    store.write("0", tensors())
    size = store.path("0").stat().st_size
    others = [tmp_path / "notes.txt", tmp_path / "network.safetensors"]
    for other in others:
        other.write_bytes(b"x" * 10 * size)
        os.utime(other, (1, 1))
    store = TargetStore(tmp_path, limit=int(3.5 * size))
    for number in range(1, 3):
        store.write(str(number), tensors())
    for number in range(3):
        os.utime(store.path(str(number)), (100 + number, 100 + number))
    assert store.read("0") is not None  # counts as new from now on
    store.write("3", tensors())
    assert [store.path(str(number)).exists() for number in range(4)] == [True, False, True, True]
    store.write("4", tensors())
    assert [store.path(str(number)).exists() for number in range(5)] == [True, False, False, True, True]
    assert all(other.exists() for other in others)


def test_a_file_larger_than_the_limit_is_alone(tmp_path: Path) -> None:
    store = TargetStore(tmp_path, limit=0)
    store.write("0", tensors())
    store.write("1", tensors())
    assert [path.name for path in tmp_path.iterdir()] == [store.path("1").name]


def test_a_file_of_something_else_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TargetStore(tmp_path)
    save_tensors(store.path("this"), tensors(), {"made_of": "that"})
    assert store.read("this") is None
    assert "holds other targets" in caplog.text
    store.write("this", tensors())
    assert load_tensors(store.path("this"))[1]["made_of"] == "this"


def test_the_limit_is_an_environment_variable(no_limit: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TargetStore(tmp_path).limit == DEFAULT_LIMIT * 1e9
    monkeypatch.setenv(LIMIT, "0.5")
    assert TargetStore(tmp_path).limit == 5e8
    for said in ("much", "nan", "inf", "-1"):
        monkeypatch.setenv(LIMIT, said)
        with pytest.raises(UserError, match=f"{LIMIT} must be a number of gigabytes, such as 4, got '{said}'"):
            TargetStore(tmp_path)


def test_stores_of_several_processes_make_room_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / ".datastill-0123456789abcdef.partial").write_bytes(b"of a killed process")
    (tmp_path / ".mine.partial").write_bytes(b"a user's")
    store = TargetStore(tmp_path, 10**6)
    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / "targets", "what another process keeps"):
            writing = pool.submit(store.write, "a", {"mean": torch.ones(3)})
            time.sleep(0.3)
            assert not writing.done()
            assert store.read("a") is None
        writing.result(timeout=60)
    assert store.read("a") is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".mine.partial", store.path("a").name])
