"""``python -m website`` builds the site.

With ``tables`` it writes the tables of results in the pages again; with ``notebooks`` it runs the notebooks.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

from website import tables
from website.assemble import assemble
from website.links import broken
from website.notebooks import NOTEBOOKS, run
from website.tables import ROOT

SITE = ROOT / "build" / "site"


def main(arguments: list[str]) -> int:
    """Do what is asked for; the exit code.

    Args:
        arguments: ``tables``, ``notebooks`` or nothing.
    """
    if arguments == ["tables"]:
        for page, above in tables.pages().items():
            page.write_text(tables.filled(page.read_text(encoding="utf-8"), above), encoding="utf-8")
        return 0
    if arguments == ["notebooks"]:
        for notebook in NOTEBOOKS:
            folder = ROOT / "runs" / "notebooks" / notebook.stem
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            began = time.monotonic()
            run(notebook, folder)
            print(f"{notebook.name}: {time.monotonic() - began:.0f} s")
        return 0
    if arguments:
        print(f"expected nothing, tables or notebooks, got {' '.join(arguments)}", file=sys.stderr)
        return 2
    assemble(ROOT / "build" / "pages")
    built = subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=ROOT)
    if built.returncode:
        return built.returncode
    found = broken(SITE)
    print("\n".join([*found, f"{SITE.relative_to(ROOT)}: {len(found)} broken links"]))
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
