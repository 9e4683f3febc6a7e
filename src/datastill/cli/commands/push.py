"""Send a set to the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def push(
    path: Annotated[Path, Parameter(help="a run's or a set's folder")],
    name: Annotated[str, Parameter(help="OWNER/NAME of the repository on the hub, which is made if it is not there")],
    /,
    *,
    evaluation: Annotated[
        Path | None, Parameter(help="a file written by `evaluate --out`, for the card; default those in the run's folder")
    ] = None,
    license: Annotated[str, Parameter(help="the set's licence as the hub writes it, such as mit or cc-by-4.0")] = "unknown",
    private: Annotated[bool, Parameter(help="a new repository is private", negative="")] = False,
    dry_run: Annotated[bool, Parameter(help="show what would be sent, and send nothing", negative="")] = False,
) -> None:
    """Send the distilled set at PATH to NAME, OWNER/NAME on the Hugging Face hub, with a card of how it was made and measured.

    `datastill evaluate hub:OWNER/NAME` and `datastill.load_set("hub:OWNER/NAME")` read it back. Log in first: `hf auth login`.
    """
    from datastill.report.publishing import push as send
    from datastill.report.terminal import say_line

    shipment = send(path, name, evaluation=evaluation, licence=license, private=private, dry_run=dry_run)
    for file, size in shipment.files.items():
        say_line(f"{'would send' if dry_run else 'sent'} {file}, {size} bytes")
    if not dry_run:
        say_line(f"it is at {shipment.address}; next: datastill evaluate hub:{name}")
        return
    say_line("")
    for line in shipment.card.splitlines():
        say_line(line)
