"""Write the site of all results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def site(
    results: Annotated[Path, Parameter(help="the folder of results")] = Path("results"),
    /,
    *,
    out: Annotated[Path, Parameter(help="the folder to write; one that holds an earlier site is written again")],
) -> None:
    """Write a site of all results: one table that can be sorted and filtered, with a page for every row of it.

    RESULTS is the folder that `datastill experiment` writes to; everything is made from the records in it. Open index.html with a browser,
    or put the folder on any web server.

    For example:

      datastill site results --out site
    """
    from datastill.report.page.site import write_site
    from datastill.report.terminal import say_line
    from datastill.text import counted

    lines = write_site(results, out)
    say_line(f"wrote {counted(lines, 'row')}; open {out / 'index.html'} with a browser")
