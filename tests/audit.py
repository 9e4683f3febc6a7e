"""Whether a version that constraints.txt pins has a known vulnerability: ``python -m tests.audit``, which ``make check`` runs.

A vulnerability fails. Where the service that lists them cannot be reached, one line says so, and the check goes on: a machine without a
network must be able to pass it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
COMMAND = (sys.executable, "-m", "pip_audit")
FLAGS = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5", "--requirement")
PATIENCE, WHOLE = 15, 600
"""Seconds to wait for what is said of one package, and of all."""


class NotRunError(Exception):
    """Why nothing was audited."""


def audit(command: Sequence[str] = COMMAND, constraints: Path = CONSTRAINTS, patience: float = PATIENCE) -> int:
    """Ask about one package, to find out whether anybody answers, then about all; print one line, or one per vulnerability.

    Args:
        command: What runs pip-audit.
        constraints: The versions, one ``NAME==VERSION`` per line.
        patience: Seconds to wait for the first answer.

    Returns:
        The exit code: 1 if a version has a known vulnerability.
    """
    lines = constraints.read_text().split()
    try:
        _answered(command, lines[:1], patience)
        known = _answered(command, lines, WHOLE)
    except NotRunError as error:
        print(f"audit not run: {error}")
        return 0
    skipped = [package["name"] for package in known if "vulns" not in package]
    found = [(package, weakness) for package in known for weakness in package.get("vulns", ())]
    for package, weakness in found:
        fixed = f"fixed in {', '.join(weakness['fix_versions'])}" if weakness["fix_versions"] else "no version fixes it yet"
        print(f"{package['name']} {package['version']}: {weakness['id']}, {fixed}")
    left = f"; not listed by the service: {', '.join(skipped)}" if skipped else ""
    print(f"{len(known) - len(skipped)} packages audited, {len(found) or 'no'} known vulnerabilities{left}")
    return 1 if found else 0


def _answered(command: Sequence[str], requirements: Sequence[str], seconds: float) -> list[dict[str, Any]]:
    """What the service says of each package; an error if it says nothing of any."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requirements.txt")
        file.write_text("\n".join(requirements))
        try:
            done = subprocess.run([*command, *FLAGS, str(file)], capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise NotRunError(f"the vulnerability service did not answer within {seconds:g} seconds") from None
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise NotRunError(f"the vulnerability service could not be asked ({last[:200]})") from None
    if not any("vulns" in package for package in packages):
        raise NotRunError(f"the vulnerability service knows nothing ({packages[0]['skip_reason']})")
    return packages


if __name__ == "__main__":
    sys.exit(audit())
