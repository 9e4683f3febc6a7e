"""What is asked for is used, and what is optional is said where it is missing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import numpy as np
import pytest
from packaging.specifiers import SpecifierSet

from datastill.data import load
from datastill.errors import UserError
from datastill.evaluation.spread import students_t
from datastill.experiments.search.ranking import check_architectures

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
"""Packages whose module has another name."""


def imported() -> set[str]:
    """Every package that is imported anywhere in the source."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / "src").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in names}


def modules_of(requirements: list[str]) -> set[str]:
    packages = [re.match(r"[a-zA-Z0-9-]+", requirement) for requirement in requirements]
    return {MODULES.get(package[0], package[0].replace("-", "_")) for package in packages if package}


def test_every_dependency_is_imported_and_nothing_else_is() -> None:
    required, extras = modules_of(PROJECT["dependencies"]), PROJECT["optional-dependencies"]
    optional = modules_of([*extras["analysis"], *extras["hub"], *extras["ray"], *extras["slurm"], *extras["wandb"]])
    foreign = imported() - set(sys.stdlib_module_names) - {"datastill"}
    assert required <= foreign
    assert optional <= foreign
    assert foreign - required - optional <= {"triton"}, "an import that no dependency brings"


PINS = [line for line in (ROOT / "constraints.txt").read_text().split() if "==" in line]


@pytest.mark.parametrize("pin", PINS)
def test_a_pinned_version_can_be_installed_on_the_oldest_python(pin: str) -> None:
    name, _, version = pin.partition("==")
    try:
        found = metadata(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    if found["Version"] != version:
        pytest.skip(f"{name} {found['Version']} is installed, not the pinned {version}")
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    assert oldest in SpecifierSet(found["Requires-Python"] or "")


ALONE = """
import sys
for name in ("sklearn", "scipy", "datasets", "huggingface_hub", "joblib", "pandas", "tensorboard", "wandb"):
    sys.modules[name] = None
import datastill
distilled = datastill.distill("digits", method="random", ipc=1)
print(datastill.evaluate(distilled, repeats=3, compare=[], protocol=datastill.Protocol(epochs=1)).score.interval)
"""


def test_the_digits_are_distilled_and_evaluated_without_anything_optional() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True)
    assert float(done.stdout) >= 0


def test_the_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    from datastill.data import digits

    theirs, ours = load_digits(), digits.read().train
    assert np.array_equal(next(ours.blocks())[:, 0], np.rint(theirs.images * (255 / 16)).astype(np.uint8))
    assert np.array_equal(ours.labels, theirs.target)


@pytest.mark.parametrize("degrees", [*range(1, 40), 99, 100, 999, 1000])
def test_students_distribution_is_that_of_scipy(degrees: int) -> None:
    from scipy import stats

    assert students_t(degrees) == pytest.approx(float(stats.t.ppf(0.975, degrees)), rel=1e-12)
    assert students_t(degrees, 1 - 0.05 / 9) == pytest.approx(float(stats.t.ppf(1 - 0.025 / 9, degrees)), rel=1e-9)


@pytest.mark.parametrize(("degrees", "printed"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042), (120, 1.980)])
def test_students_distribution_is_that_of_the_printed_tables(degrees: int, printed: float) -> None:
    assert students_t(degrees) == pytest.approx(printed, abs=5e-4)


def test_svhn_says_what_its_published_files_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATASTILL_DATA", raising=False)
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(UserError, match=r"'svhn' are MATLAB's and need scipy: pip install 'datastill\[svhn\]'"):
        load("svhn")
    assert not list(tmp_path.iterdir())


def test_what_an_extra_brings_is_named_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sklearn", "scipy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"architecture search needs the package scipy: pip install 'datastill\[analysis\]'"):
        check_architectures(["convnet"], load("digits"))
