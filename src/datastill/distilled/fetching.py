"""Distilled sets of the Hugging Face hub, by name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import ModuleType

from datastill.errors import UserError
from datastill.files import reason

PREFIX = "hub:"
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""OWNER/NAME."""


def is_of_hub(path: Path | str) -> bool:
    """Whether a path is the name of a set of the hub."""
    return str(path).startswith(PREFIX)


def fetch(name: str, file: str) -> Path:
    """Download a file of a set, or take it from the cache of ``huggingface_hub``, which also serves without a network.

    Args:
        name: ``hub:OWNER/NAME``.
        file: Below the set's folder.

    Returns:
        The file in that cache.

    Raises:
        UserError: If the name is none, the package is missing, or there is no such file.
    """
    where = checked(name.removeprefix(PREFIX))
    hub = package(name)
    try:
        return Path(hub.hf_hub_download(where, file, repo_type="dataset", endpoint=endpoint()))
    except Exception as error:  # what is raised without a network is up to the network library
        raise UserError(
            f"{name} cannot be loaded ({reason(error)}); check the name and the network, and that it is a set that `datastill push` wrote"
        ) from error


def checked(name: str) -> str:
    """The name of a repository of the hub.

    Raises:
        UserError: If it is none.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"expected OWNER/NAME of letters, digits, dots, dashes and underscores, got '{name}'")
    return name


def endpoint() -> str | None:
    """The address of the hub: ``HF_ENDPOINT``; None for the usual one."""
    return os.environ.get("HF_ENDPOINT") or None


def package(what: str) -> ModuleType:
    """The library of the hub.

    Args:
        what: What needs it, for a message.

    Raises:
        UserError: If it is missing.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise UserError(f"{what} needs the package huggingface_hub: pip install 'datastill[hub]'") from error
    found: ModuleType = huggingface_hub
    return found
