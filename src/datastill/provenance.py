"""What made a result: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


@cache
def package_version() -> str:
    """The installed version of this package."""
    try:
        return version("datastill")
    except PackageNotFoundError:
        return "unknown"


@cache
def commit() -> str:
    """The commit of the checkout that the package runs from, with ``+`` if it has changes; "" for an installed package."""
    here = Path(__file__).resolve().parent
    try:
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)  # fails where the package is merely installed inside a checkout
        revision = _git(here, "rev-parse", "HEAD")
        return revision[:12] + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no", "--", str(here)) else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def address_space() -> int:
    """Bytes of memory that this process may address, as ``ulimit -v`` limits it; 0 for no limit."""
    if sys.platform == "win32":
        return 0
    import resource

    bound, _ = resource.getrlimit(resource.RLIMIT_AS)
    return 0 if bound == resource.RLIM_INFINITY else bound


def machine() -> dict[str, str | int]:
    """Processor, cores, threads, versions."""
    import torch  # takes seconds, which the version alone must not

    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        models = [line.split(":", 1)[1].strip() for line in information.read_text().splitlines() if line.startswith("model name")]
        name = models[0] if models else name
    return {
        "processor": name,
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def made_by() -> dict[str, Any]:
    """What a run's configuration says about its origin: version, commit, machine."""
    return {"datastill": package_version(), "commit": commit(), "machine": machine()}


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["git", "--no-optional-locks", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return result.stdout.strip()
