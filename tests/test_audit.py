"""The audit of the dependencies, with a stand-in for pip-audit: it passes, it fails, or it says that it was not run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import ACCEPTED, Accepted, audit

SOUND: dict[str, Any] = {"name": "sound", "version": "1.0", "vulns": []}
WEAK: dict[str, Any] = {"name": "weak", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1", "3.0"]}]}
HOPELESS: dict[str, Any] = {"name": "hopeless", "version": "3.0", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}
UNKNOWN: dict[str, Any] = {"name": "unknown", "skip_reason": "Dependency not found"}


def audited(tmp_path: Path, packages: list[dict[str, Any]], patience: float = 60, **options: Any) -> int:
    """Audit packages with a stand-in that says of each what is given, as pip-audit prints it."""
    program = (
        "import json, pathlib, sys\n"
        "asked = pathlib.Path(sys.argv[-1]).read_text().split()\n"
        f"known = {{package['name']: package for package in json.loads({json.dumps(packages)!r})}}\n"
        "said = [known[name.partition('==')[0]] for name in asked]\n"
        "print(json.dumps({'dependencies': said, 'fixes': []}))\n"
        "sys.exit(any(package.get('vulns') for package in said))\n"
    )
    return with_program(tmp_path, program, [package["name"] for package in packages], patience, **options)


def with_program(
    tmp_path: Path, program: str, names: list[str], patience: float = 60, accepted: Mapping[str, Accepted] | None = None
) -> int:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("".join(f"{name}==1.0\n" for name in names))
    return audit([sys.executable, "-c", program], constraints, patience, accepted or {}, date(2026, 6, 30))


def test_no_known_vulnerability_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(tmp_path, [SOUND, UNKNOWN]) == 0
    assert capsys.readouterr().out == "1 packages audited, no known vulnerabilities; not listed by the service: unknown\n"


def test_a_known_vulnerability_fails_and_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(tmp_path, [SOUND, WEAK, HOPELESS]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "weak 2.0: PYSEC-1, fixed in 2.1, 3.0",
        "hopeless 3.0: PYSEC-2, no version fixes it yet",
        "3 packages audited, 2 known vulnerabilities",
    ]
    assert audited(tmp_path, [WEAK, SOUND]) == 1, "the first package is the one that is asked about first"


def test_what_is_accepted_passes_until_its_day_is_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    never = Accepted("only when serving, which we do not", date(2026, 6, 30))
    assert audited(tmp_path, [WEAK], accepted={"PYSEC-1": never}) == 0
    assert capsys.readouterr().out.splitlines() == [
        "weak 2.0: PYSEC-1, fixed in 2.1, 3.0; accepted until 2026-06-30: only when serving, which we do not",
        "1 packages audited, 1 known vulnerabilities",
    ]
    assert audited(tmp_path, [WEAK, HOPELESS], accepted={"PYSEC-1": never}) == 1, "another one still fails"
    over = never._replace(until=date(2026, 6, 29))
    capsys.readouterr()
    assert audited(tmp_path, [WEAK], accepted={"PYSEC-1": over}) == 1
    assert "accepted until 2026-06-29, which is over: only when" in capsys.readouterr().out
    named = {**WEAK, "vulns": [{**WEAK["vulns"][0], "aliases": ["CVE-1"]}]}
    assert audited(tmp_path, [named], accepted={"CVE-1": never}) == 0, "the id of another list"


def test_what_is_accepted_and_not_there_is_to_be_taken_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audited(tmp_path, [SOUND], accepted={"PYSEC-9": Accepted("an old one", date(2026, 6, 30))}) == 1
    assert capsys.readouterr().out.splitlines()[0] == "PYSEC-9: accepted in tests/audit.py, but no version has it: take it out there"


def test_every_accepted_vulnerability_has_a_reason_and_is_looked_at_again_within_a_year() -> None:
    for name, taken in ACCEPTED.items():
        assert len(taken.reason.split()) >= 3, name
        assert taken.until <= date.today() + timedelta(days=366), name


def test_where_nothing_can_be_audited_one_line_says_why_and_the_check_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = "import sys; sys.exit('Traceback\\nConnectionError: no route to host')"
    assert with_program(tmp_path, refused, ["sound"]) == 0
    assert capsys.readouterr().out == ("audit not run: the vulnerability service could not be asked (ConnectionError: no route to host)\n")
    assert audited(tmp_path, [UNKNOWN]) == 0  # a mirror of the registry that has packages but no vulnerabilities
    assert capsys.readouterr().out == "audit not run: the vulnerability service knows nothing (Dependency not found)\n"
    assert with_program(tmp_path, "import time; time.sleep(600)", ["sound"], patience=0.5) == 0
    assert capsys.readouterr().out == "audit not run: the vulnerability service did not answer within 0.5 seconds\n"
