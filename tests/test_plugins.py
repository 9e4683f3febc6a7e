"""Terms and methods of another package: installed for real, used by the command in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from processes import Done, run

PACKAGE = Path(__file__).parent / "plugin_package"
MODULE = "datastill_spread.py"
RUN = ("--ipc", "2", "--iterations", "2", "--set", "real_batch=8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package is installed in, without a network."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))  # pip builds in it
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "site"), str(folder / "source")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    assert (folder / "site" / MODULE).exists()
    return folder / "site"


def datastill(site: Path | None, *arguments: object) -> Done:
    """Run the command in a process of its own, with another folder of packages."""
    return run(*arguments, environment={"PYTHONPATH": str(site or "")})


def changed(installed: Path, to: Path, file: str, change: Callable[[str], str]) -> Path:
    """A copy of the installed package with a file changed."""
    shutil.copytree(installed, to, ignore=shutil.ignore_patterns("__pycache__"))
    (path,) = to.rglob(file)
    path.write_text(change(path.read_text()))
    return to


def refused(done: Done) -> str:
    """The one line of a command that was refused."""
    lines = [line for line in done.err.splitlines() if "has no test split" not in line]
    assert (done.code, done.out, len(lines)) == (2, "", 1), done.err
    return lines[0]


def test_its_names_are_listed_with_the_package_that_they_come_from(installed: Path) -> None:
    terms, methods = (datastill(installed, "list", what) for what in ("terms", "methods"))
    assert "squared distance between class variances [datastill-spread 1.2]" in terms.out
    assert "Match class means in one random network. [datastill-spread 1.2]" in methods.out
    assert terms.err == methods.err == ""


def test_its_method_term_and_encoder_run_are_set_and_repeated(installed: Path, tmp_path: Path) -> None:
    done = datastill(
        installed, "distill", "digits", "--method", "kept-dm+spread", *RUN, "--set", "spread.powers=1,2", "--set", "kept.number=5",
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["method"]
    assert config["terms"]["spread"] == {"class": "datastill_spread.SpreadMatching", "weight": 0.2, "powers": [1, 2]}
    assert config["encoders"]["kept"]["class"] == "datastill_spread.KeptNetwork"
    assert (config["encoders"]["kept"]["number"], config["name"]) == (5, "kept-dm+spread")
    again = datastill(installed, "distill", "--config", tmp_path / "run" / "config.yaml", "--out", tmp_path / "again")
    assert again.code == 0, again.err
    without = datastill(None, "distill", "--config", tmp_path / "run", "--out", tmp_path / "without")
    assert "method.terms.spread.class is 'datastill_spread.SpreadMatching', which does not exist" in refused(without)
    assert "spread weight=0.2 powers=[1, 2]" in datastill(None, "show", tmp_path / "again").out


def test_a_plug_in_that_cannot_be_imported_is_one_line_and_nothing_else_breaks(installed: Path, tmp_path: Path) -> None:
    broken = changed(installed, tmp_path / "site", MODULE, lambda text: f"{text}\nimport nothing_of_that_name\n")
    line = refused(datastill(broken, "distill", "digits", "--method", "dm+spread", *RUN, "--out", tmp_path / "run"))
    said = "the term 'spread' of the package datastill-spread 1.2 cannot be used: "
    assert line.startswith(f"datastill: {said}")
    assert "No module named 'nothing_of_that_name'" in line
    listed = datastill(broken, "list", "terms")
    assert listed.code == 0
    assert "\ncc" in listed.out
    assert "spread" not in listed.out
    assert listed.err.startswith(said)
    assert len(listed.err.splitlines()) == 1
    other = datastill(broken, "distill", "digits", "--method", "dm+cm", *RUN, "--out", tmp_path / "run")
    assert other.code == 0
    assert "spread" not in other.err


@pytest.mark.parametrize(
    ("file", "change", "method", "said"),
    [
        (MODULE, ('name = "spread"', 'name = "other"'), "dm+spread", "SpreadMatching is called 'other'"),
        (MODULE, ("MeanMatching(),", "MeanMatching(1 / 0),"), "kept-dm", "ZeroDivisionError: division by zero"),
        ("entry_points.txt", (":SpreadMatching", ":kept_dm"), "dm+spread", "expected a class that derives from datastill.Term"),
        (
            "entry_points.txt",
            ("spread = ", "cc = "),
            "dm+cc",
            "two packages have a term named 'cc': datastill itself, datastill",
        ),
    ],
)
def test_a_plug_in_that_is_wrong_is_one_line(
    installed: Path, tmp_path: Path, file: str, change: tuple[str, str], method: str, said: str
) -> None:
    site = changed(installed, tmp_path / "site", file, lambda text: text.replace(*change))
    assert said in refused(datastill(site, "distill", "digits", "--method", method, *RUN, "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()
