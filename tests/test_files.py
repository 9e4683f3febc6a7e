from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.files import checksum, load_tensors, reason, save_tensors, storage_error, write_atomic

TENSORS = {
    "images": torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) / 7,
    "half": torch.linspace(-1, 1, 5).bfloat16(),
    "rows": torch.tensor([3, 1, 2]),
    "scalar": torch.tensor(2.5),
    "empty": torch.empty(0, 4),
    "mask": torch.tensor([True, False]),
}
TEXT = {"seed": "17", "method": "dm+iid"}


def test_text_and_bytes_are_written_into_new_folders(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.txt", "zwölf")
    write_atomic(tmp_path / "a" / "c.bin", b"\x00\xff")
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "zwölf"
    assert (tmp_path / "a" / "c.bin").read_bytes() == b"\x00\xff"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b.txt", "c.bin"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "no space left on the disk to write"), (errno.EACCES, "cannot write")])
def test_a_failure_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, said: str) -> None:
    path = tmp_path / "state"
    write_atomic(path, "old")

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
        with pytest.raises(UserError, match=f"{said}.*state"):
            write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_an_interruption_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomic(tmp_path / "state", "old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "state", "new")
    assert (tmp_path / "state").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_where_a_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for path in (tmp_path / "taken" / "file", tmp_path / "taken" / "deep" / "file"):
        with pytest.raises(UserError, match=r"cannot write .*file .*choose another folder"):
            write_atomic(path, "x")


def test_a_device_without_room_is_the_full_disk() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with pytest.raises(OSError, match="No space") as caught, open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")
    assert "free some space and run the command again" in str(storage_error(caught.value, Path("x")))


def test_reasons_are_one_line_and_never_empty() -> None:
    assert reason(OSError(2, "No such file", "/x")) == "No such file"
    assert reason(OSError("first\nsecond")) == "first"
    assert reason(EOFError()) == "EOFError"


def test_tensors_and_text_come_back(tmp_path: Path) -> None:
    save_tensors(tmp_path / "t.safetensors", TENSORS, TEXT)
    tensors, text = load_tensors(tmp_path / "t.safetensors")
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)
    assert {key: text[key] for key in TEXT} == TEXT


def test_strided_tensors_and_parameters_are_saved_by_value(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    save_tensors(tmp_path / "t", {"turned": torch.arange(6.0).reshape(2, 3).T, "parameter": parameter}, {})
    tensors, _ = load_tensors(tmp_path / "t")
    assert tensors["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert tensors["parameter"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, TENSORS, TEXT)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(UserError, match=r"t\.safetensors is truncated or not a safetensors file \("):
        load_tensors(path)


def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    save_tensors(path, TENSORS, TEXT)
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << position % 7]) + whole[position + 1 :])
        try:
            tensors, text = load_tensors(path)
        except UserError:
            refused += 1
            continue
        assert set(tensors) == set(TENSORS)
        assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
        assert {key: text[key] for key in TEXT} == TEXT
    assert refused > 0.9 * len(whole)


def test_a_missing_file_and_a_folder_are_not_called_truncated(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            load_tensors(path)


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match="not a safetensors file"):
        load_tensors(tmp_path / "weights.pt")


def test_the_checksum_sees_names_shapes_types_values_and_text() -> None:
    one = torch.arange(4, dtype=torch.int32)
    variants: list[tuple[dict[str, Tensor], dict[str, str]]] = [
        ({"a": one}, {}),
        ({"b": one}, {}),
        ({"a": one.reshape(2, 2)}, {}),
        ({"a": one.view(torch.float32)}, {}),
        ({"a": one + 1}, {}),
        ({"a": one}, {"k": "v"}),
        ({"a": one}, {"k": "w"}),
    ]
    assert len({checksum(tensors, text) for tensors, text in variants}) == len(variants)
    assert checksum({"a": one, "b": one}) == checksum({"b": one, "a": one})
