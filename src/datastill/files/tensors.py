"""Tensors and text in safetensors files, with a checksum of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from datastill.files.atomic import write_atomic


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text atomically as safetensors, with a checksum of both; the same content gives the same bytes."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, _in_one_order(save(contiguous, {**metadata, "checksum": checksum(contiguous, metadata)})))


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
