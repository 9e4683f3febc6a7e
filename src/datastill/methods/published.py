"""Published accuracies, with what a reader must know before comparing with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

BEST = "best of several tests"
DC = "dc"
"""The evaluation protocol of most papers."""


@dataclass(frozen=True)
class PublishedAccuracy:
    """A published accuracy.

    Attributes:
        percent: Top-1 on the test split.
        best: Whether it is the best of several tests during distilling, not the last one.
        differs: What makes it another measurement than ours, such as "another network"; "" for nothing. No difference from such a number
            is printed, as it would say nothing about the method.
        protocol: The name of its evaluation protocol; "" for one of its own, which `differs` describes.
    """

    percent: float
    best: bool = False
    differs: str = ""
    protocol: str = DC

    @property
    def qualifier(self) -> str:
        """What must be said beside the number; "" for nothing."""
        return "; ".join(filter(None, (self.differs, BEST if self.best else "")))

    def beside(self, protocol: str) -> PublishedAccuracy:
        """As it stands beside results of a protocol: a number of another one is another measurement."""
        if self.protocol in (protocol, ""):
            return self
        differs = "; ".join(filter(None, (self.differs, f"{self.protocol.upper()} protocol")))
        return replace(self, differs=differs, protocol=protocol)

    def __str__(self) -> str:
        return f"{self.percent} ({self.qualifier})" if self.qualifier else f"{self.percent}"


def published(
    *, best: bool = False, differs: str = "", protocol: str = DC, **numbers: Mapping[int, float]
) -> dict[tuple[str, int], PublishedAccuracy]:
    """Published accuracies by data set and IPC; the arguments but the numbers are those of `PublishedAccuracy`.

    Args:
        best: For all of them.
        differs: For all of them.
        protocol: For all of them.
        **numbers: Top-1 in percent by IPC, for each data set by its name.

    Example:
        >>> {place: str(accuracy) for place, accuracy in published(best=True, cifar10={1: 46.3}).items()}
        {('cifar10', 1): '46.3 (best of several tests)'}
    """
    return {
        (data, ipc): PublishedAccuracy(percent, best, differs, protocol)
        for data, by_ipc in numbers.items()
        for ipc, percent in by_ipc.items()
    }
