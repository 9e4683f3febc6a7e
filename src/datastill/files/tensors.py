"""Tensors and text in safetensors files, with a checksum of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from datastill.errors import UserError
from datastill.files.atomic import write_atomic
from datastill.files.messages import reason


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text atomically as safetensors, with a checksum of both; the same content gives the same bytes."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, _in_one_order(save(contiguous, {**metadata, "checksum": checksum(contiguous, metadata)})))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and text back.

    Raises:
        UserError: If the file is missing, truncated, damaged or not a safetensors file. Nothing in it is ever executed.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path} is truncated or not a safetensors file ({reason(error)})") from error
    stored, text = metadata.get("checksum"), {key: value for key, value in metadata.items() if key != "checksum"}
    # Networks in users' caches from before the text was covered have a checksum of the tensors alone.
    if stored and stored != checksum(tensors, text) and stored != checksum(tensors):
        raise UserError(f"{path} is damaged: its content does not match its checksum")
    return tensors, metadata


def checksum(tensors: Mapping[str, Tensor], text: Mapping[str, str] | None = None) -> str:
    """Hash names, shapes and values of tensors, and the text that goes with them."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(repr((name, tuple(tensor.shape), str(tensor.dtype))).encode())
        digest.update(tensor.cpu().contiguous().flatten().view(dtype=torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    if text:
        digest.update(repr(sorted(text.items())).encode())
    return digest.hexdigest()


def _in_one_order(file: bytes) -> list[bytes | memoryview]:
    """The parts of a safetensors file with the names of its header sorted: the library writes them in another order every time."""
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return [len(header).to_bytes(8, "little"), header, memoryview(file)[end:]]
