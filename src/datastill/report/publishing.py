"""Sets on the Hugging Face hub: what is sent, and sending it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from datastill.data.naming import public_name
from datastill.distilled import DistilledSet
from datastill.distilled.card import Published
from datastill.distilled.fetching import checked, endpoint, package
from datastill.errors import UserError
from datastill.evaluation.spread import spread
from datastill.files import partial_folder, reason
from datastill.logs import logger
from datastill.report.comparison.measured import Measured
from datastill.report.comparison.reading import read
from datastill.report.markdown import table
from datastill.text import code, escaped

log = logger(__name__)

LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")
EARLIER = "data/train-00000-of-00001*.parquet"
"""Files of an earlier set in the same place, which are removed with what replaces them."""


@dataclass(frozen=True)
class Shipment:
    """What is sent.

    Attributes:
        name: OWNER/NAME.
        files: Bytes of every file, by its name.
        card: The dataset card.
        address: Where it is; "" before it is sent.
    """

    name: str
    files: dict[str, int]
    card: str
    address: str = ""


def push(
    path: Path | str | DistilledSet,
    name: str,
    *,
    evaluation: Path | str | None = None,
    licence: str = "unknown",
    private: bool = False,
    dry_run: bool = False,
) -> Shipment:
    """Send a distilled set to the Hugging Face hub, with a card that states how it was made and measured, and how to load it.

    Folders in the name of its data set stay private. `datastill.load_set("hub:OWNER/NAME")` loads it.

    Args:
        path: A run's folder, a distilled folder or its file, or a set.
        name: OWNER/NAME on the hub; made if missing, and an earlier set in it is replaced.
        evaluation: The file of `datastill evaluate --out`, or a folder with such files; by default those in `path` if it is a run's folder.
        licence: An identifier of the hub, such as "cc-by-4.0".
        private: Whether a new repository is private.
        dry_run: Whether to send nothing.

    Returns:
        What was sent, or would be.

    Raises:
        UserError: If the name or the licence is none, there is no such set or evaluation, or the hub refuses it.
    """
    checked(name)
    if not LICENCE.fullmatch(licence):
        raise UserError(f"expected the identifier of a licence as the hub writes it, such as mit or cc-by-4.0, got '{licence}'")
    distilled = path if isinstance(path, DistilledSet) else DistilledSet.load(path)
    scores = _scores(distilled, path, evaluation)
    if not scores:
        log.warning("no evaluation of the set was found: its card says that it was not measured; `datastill evaluate --out` measures it")
    origin = replace(distilled.origin, data=public_name(distilled.origin.data))
    with partial_folder(Path(tempfile.gettempdir())) as temporary:
        folder = replace(distilled, origin=origin).save(temporary / "set", published=Published(name, licence, _table(scores)))
        files = {file.relative_to(folder).as_posix(): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file()}
        shipment = Shipment(name, files, (folder / "README.md").read_text(encoding="utf-8"))
        return shipment if dry_run else replace(shipment, address=_sent(folder, name, private))


def _sent(folder: Path, name: str, private: bool) -> str:
    """Send a folder and return its address."""
    hub = package("`datastill push`")
    try:
        api = hub.HfApi(endpoint=endpoint())
        address = str(api.create_repo(name, repo_type="dataset", private=private, exist_ok=True))
        api.upload_folder(
            repo_id=name, folder_path=folder, repo_type="dataset", commit_message="A set distilled by datastill", delete_patterns=EARLIER
        )
    except Exception as error:  # the network library's, or the hub's answer
        raise UserError(
            f"the hub did not take {name} ({reason(error)}); check the name, the network and that you are logged in (`hf auth login`), and "
            f"push again"
        ) from error
    return address


def _scores(distilled: DistilledSet, path: Path | str | DistilledSet, evaluation: Path | str | None) -> list[Measured]:
    """What networks trained on the set reached."""
    if evaluation is not None:
        found = read(Path(evaluation))[0]
    elif isinstance(path, DistilledSet) or not Path(path).is_dir():
        return []
    else:
        found = read(Path(path))[0]
    mine = [each for each in found if _is_of(each, distilled)]
    if evaluation is not None and not mine:
        raise UserError(f"{evaluation} is no evaluation of this set: its data or its number of images is another")
    return mine


def _is_of(measured: Measured, distilled: DistilledSet) -> bool:
    return measured.conditions.fingerprint in ("", distilled.origin.fingerprint) and measured.images in (0, len(distilled.images))


def _table(scores: Sequence[Measured]) -> list[str]:
    """The scores as lines of Markdown."""
    if not scores:
        return ["It has not been measured."]
    rows = []
    for each in scores:
        conditions = each.conditions
        changes = f", {conditions.protocol.changes}" if conditions.protocol.changes else ""
        rows.append(
            [
                code(public_name(conditions.data)),
                conditions.split,
                conditions.protocol.network,
                f"{conditions.protocol.title}, {conditions.protocol.passes} epochs{escaped(changes)}",
                _accuracy(each.accuracies),
                len(each.accuracies),
                _accuracy(each.random) if each.random else "",
            ]
        )
    head = ["tested on", "split", "network", "protocol", "accuracy %", "networks", "as many random real images %"]
    return [
        "Top-1 of networks that were trained from scratch on this set, mean +- standard deviation over networks.",
        "",
        *table(head, rows),
    ]


def _accuracy(values: Sequence[float]) -> str:
    deviation = spread(values)
    return f"{fmean(values):.2f}" + ("" if deviation is None else f" +- {deviation:.2f}")
