"""Files that are complete or absent: atomic writes, tensors with a checksum, a clear message when the disk is full."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from datastill.errors import UserError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that it is either the old one or the new one, even if the process is killed or the disk is full.

    Raises:
        UserError: If the disk is full or the folder cannot be written; the old file is intact.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):  # where the folder cannot be made, this fails too and would hide why
            partial.unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Refuse what cannot be the name of a file to write, before the work that fills it.

    Raises:
        UserError: If the path names no file, such as ".", or a folder.
    """
    if not path.name or path.name == ".." or path.is_dir():
        raise UserError(f"`out` must be a file, but {path} is a folder: name a file in it, such as {path / 'result'}")


def storage_error(error: OSError, path: Path) -> UserError:
    """An error that says in one line that a file could not be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"no space left on the disk to write {path}; what was written before is intact: free some space and run the command again"
        )
    return UserError(f"cannot write {path} ({reason(error)}); choose another folder or fix its permissions")


def reason(error: BaseException) -> str:
    """The first line of what an exception says, for the brackets of a message."""
    said = error.strerror if isinstance(error, OSError) else None
    return next(iter((said or str(error)).splitlines()), "") or type(error).__name__


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and text atomically as safetensors, with a checksum of both."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, save(contiguous, {**metadata, "checksum": checksum(contiguous, metadata)}))


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
