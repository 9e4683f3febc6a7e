from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datastill.engine import hardware
from datastill.errors import UserError

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_a_device_is_found_by_name(name: str) -> None:
    assert hardware.device(name) == (CPU if name == "cpu" else torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def test_an_unknown_device_is_refused_with_what_to_do() -> None:
    with pytest.raises(UserError, match=r"the device 'warp' is not available .*; try `device=cpu`"):
        hardware.device("warp")


def test_nothing_is_compiled_for_a_device_without_a_compiler() -> None:
    assert hardware.why_no_compiler(torch.device("meta")) == "nothing is compiled for meta"


@pytest.mark.parametrize(
    ("sizes", "expected"), [(("32K", "8192K", "512K"), 2**23), (("nonsense", "K", "64K"), 2**16), ((), hardware.UNKNOWN_CACHE)]
)
def test_the_last_cache_is_the_largest_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[str, ...], expected: int
) -> None:
    for number, size in enumerate(sizes):
        (tmp_path / f"index{number}").mkdir()
        (tmp_path / f"index{number}" / "size").write_text(f"{size}\n")
    monkeypatch.setattr(hardware, "CACHES", tmp_path)
    assert hardware.last_cache() == expected


@pytest.mark.parametrize(("cache", "expected"), [(2**20, hardware.LEAST_IN_FLIGHT), (2**25, 2**23), (2**29, hardware.MOST_IN_FLIGHT)])
def test_a_quarter_of_the_cache_is_in_flight_within_bounds(monkeypatch: pytest.MonkeyPatch, cache: int, expected: int) -> None:
    monkeypatch.setattr(hardware, "last_cache", lambda: cache)
    assert hardware.in_flight.__wrapped__(CPU) == expected
    assert hardware.in_flight.__wrapped__(torch.device("cuda")) == hardware.IN_FLIGHT_ON_GPU
