"""Published accuracies, with what a reader must know before comparing with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

BEST = "best of several tests"
DC = "dc"
"""The evaluation protocol of most papers."""


@dataclass(frozen=True)
class Accuracy:
    """A published accuracy.

    Attributes:
        percent: Top-1 on the test split.
        best: Whether it is the best of several tests during distilling, not the last one.
        differs: What makes it another measurement than that of the table, such as "another network"; "" for nothing. No difference from
            such a number is printed, as it would say nothing about the method.
        protocol: The evaluation protocol of it, by name.
    """

    percent: float
    best: bool = False
    differs: str = ""
    protocol: str = DC

    def under(self, protocol: str) -> Accuracy:
        """As it stands in a table of that protocol: another one makes it another measurement."""
        if protocol == self.protocol:
            return self
        return replace(self, differs="; ".join(filter(None, (self.differs, f"{self.protocol.upper()} protocol"))))

    @property
    def said(self) -> str:
        """What must be said beside the number; "" for nothing."""
        return "; ".join(filter(None, (self.differs, BEST if self.best else "")))


Numbers = dict[tuple[str, int], Accuracy]
"""By data set and IPC."""


def published(best: bool = False, differs: str = "", protocol: str = DC, **numbers: Mapping[int, float]) -> Numbers:
    """Published accuracies by data set and IPC.

    Args:
        best: See `Accuracy`.
        differs: See `Accuracy`.
        protocol: See `Accuracy`.
        **numbers: Top-1 in percent by IPC, for each data set by its name.

    Example:
        >>> published(best=True, cifar10={1: 46.3})
        {('cifar10', 1): Accuracy(percent=46.3, best=True, differs='', protocol='dc')}
    """
    return {(data, ipc): Accuracy(percent, best, differs, protocol) for data, by_ipc in numbers.items() for ipc, percent in by_ipc.items()}
