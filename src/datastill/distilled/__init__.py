"""What distilling leaves: a self-describing set, its folder, its picture, and its forms for other programs."""

from __future__ import annotations

from datastill.distilled.folder import DistilledSet
from datastill.distilled.foreign import FOREIGN_FILES
from datastill.distilled.formats import export
from datastill.distilled.picture import write_grid
from datastill.distilled.set import Origin, SyntheticImages

__all__ = ["FOREIGN_FILES", "DistilledSet", "Origin", "SyntheticImages", "export", "write_grid"]
