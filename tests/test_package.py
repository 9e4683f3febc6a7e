"""What `datastill` itself offers, and the command as a module."""

from __future__ import annotations

import subprocess
import sys


def test_the_package_offers_functions_whatever_was_imported_before() -> None:
    program = (
        "import importlib, pkgutil, datastill\n"
        "modules = [module.name for module in pkgutil.walk_packages(datastill.__path__, 'datastill.')]\n"
        "assert {'datastill.evaluation.evaluate', 'datastill.runs.distill', 'datastill.distilled.formats'} <= set(modules), modules\n"
        "[importlib.import_module(module) for module in modules]\n"
        "from datastill import evaluate\n"
        "names = [name for name in datastill.__all__ if not callable(getattr(datastill, name))]\n"
        "assert not names and callable(evaluate), names\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_package_is_the_command() -> None:
    result = subprocess.run([sys.executable, "-m", "datastill", "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("Usage: datastill COMMAND")


def test_the_package_lists_its_names_and_its_version_without_importing_torch() -> None:
    program = (
        "import sys, datastill\n"
        "from importlib.metadata import version\n"
        "assert set(datastill.__all__) <= set(dir(datastill)), dir(datastill)\n"
        "assert '__version__' in dir(datastill)\n"
        "shown = [name for name in dir(datastill) if not name.startswith('__')]\n"
        "assert shown == sorted(datastill.__all__), shown\n"
        "assert datastill.__version__ == version('datastill')\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
