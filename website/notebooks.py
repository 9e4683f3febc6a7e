"""The notebooks: run from top to bottom, with other parameters if need be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from website.tables import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 900


def run(notebook: Path, folder: Path, parameters: Mapping[str, int] | None = None) -> Any:
    """Run a notebook and return it with its outputs; the file stays as it is.

    Args:
        notebook: The file.
        folder: Where it runs.
        parameters: Values of the cell that is tagged ``parameters``; None for its own.

    Raises:
        CellExecutionError: If a cell fails.
    """
    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    for cell in content.cells:
        if parameters and "parameters" in cell.metadata.get("tags", ()):
            cell.source = "\n".join(f"{name} = {value}" for name, value in parameters.items())
    NotebookClient(content, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    return content
