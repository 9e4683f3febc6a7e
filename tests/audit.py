"""Whether a version that constraints.txt pins has a known vulnerability: ``python -m tests.audit``, which ``make check`` runs.

A vulnerability fails, unless ``ACCEPTED`` names it with a reason, and only until the day that is given there. Where the service that lists
them cannot be reached, one line says so, and the check goes on: a machine without a network must be able to pass it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
COMMAND = (sys.executable, "-m", "pip_audit")
FLAGS = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "5", "--requirement")
PATIENCE, WHOLE = 15, 600
"""Seconds to wait for what is said of one package, and of all."""


class Accepted(NamedTuple):
    """Why a known vulnerability does not fail for now.

    Attributes:
        reason: Why it cannot be used against this package, or what has to come first.
        until: The last day on which that is taken for an answer; then it is looked at again.
    """

    reason: str
    until: date


ACCEPTED: Mapping[str, Accepted] = {}
"""By the id that the audit prints, such as ``"PYSEC-2026-1": Accepted("only when serving, which we do not", date(2026, 12, 31))``."""


class NotRunError(Exception):
    """Why nothing was audited."""


def audit(
    command: Sequence[str] = COMMAND,
    constraints: Path = CONSTRAINTS,
    patience: float = PATIENCE,
    accepted: Mapping[str, Accepted] = ACCEPTED,
    today: date | None = None,
) -> int:
    """Ask about one package, to find out whether anybody answers, then about all; print one line, or one per vulnerability.

    Args:
        command: What runs pip-audit.
        constraints: The versions, one ``NAME==VERSION`` per line.
        patience: Seconds to wait for the first answer.
        accepted: Vulnerabilities that do not fail, by their ids.
        today: Until when they are accepted; None for today.

    Returns:
        The exit code: 1 if a version has a known vulnerability that is not accepted, or no longer, or one is accepted that is not there.
    """
    today = today or date.today()
    lines = constraints.read_text().split()
    try:
        _answered(command, lines[:1], patience)
        known = _answered(command, lines, WHOLE)
    except NotRunError as error:
        print(f"audit not run: {error}")
        return 0
    skipped = [package["name"] for package in known if "vulns" not in package]
    found = [(package, weakness) for package in known for weakness in package.get("vulns", ())]
    failed = [_failed(package, weakness, accepted, today) for package, weakness in found]
    unknown = sorted(set(accepted) - {name for _, weakness in found for name in _names(weakness)})
    for name in unknown:
        print(f"{name}: accepted in tests/audit.py, but no version has it: take it out there")
    left = f"; not listed by the service: {', '.join(skipped)}" if skipped else ""
    print(f"{len(known) - len(skipped)} packages audited, {len(found) or 'no'} known vulnerabilities{left}")
    return 1 if any(failed) or unknown else 0


def _names(weakness: Mapping[str, Any]) -> list[str]:
    """The id of a vulnerability and those that other lists give it."""
    return [weakness["id"], *weakness.get("aliases", ())]


def _failed(package: Mapping[str, Any], weakness: Mapping[str, Any], accepted: Mapping[str, Accepted], today: date) -> bool:
    """Print a vulnerability; whether it fails."""
    fixed = f"fixed in {', '.join(weakness['fix_versions'])}" if weakness["fix_versions"] else "no version fixes it yet"
    taken = next((accepted[name] for name in _names(weakness) if name in accepted), None)
    over = taken is not None and today > taken.until
    why = f"; accepted until {taken.until}{', which is over' * over}: {taken.reason}" if taken else ""
    print(f"{package['name']} {package['version']}: {weakness['id']}, {fixed}{why}")
    return taken is None or over


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
