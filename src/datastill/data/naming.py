"""Names of data sets, taken apart and put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def source_of(name: str) -> str:
    """The name of a data set without path, size and choice of classes.

    Example:
        >>> source_of("cifar100[0-19]"), source_of("folder:photos@64"), source_of("tinyimagenet{skip_broken=yes}")
        ('cifar100', 'folder', 'tinyimagenet')
    """
    return re.split(r"[:@\[{]", name, maxsplit=1)[0]


def spans(numbers: Sequence[int]) -> str:
    """Write numbers with runs of consecutive ones as a span.

    Example:
        >>> spans([0, 1, 2, 7, 5])
        '0-2,7,5'
    """
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ",".join("-".join(map(str, span)) for span in found)


def public_name(data: str) -> str:
    """The name of a data set without the folders of its path, which stay private.

    Example:
        >>> public_name("folder:/home/me/photos@64"), public_name("cifar10")
        ('folder:photos@64', 'cifar10')
    """
    source, colon, path = data.partition(":")
    return source + colon + Path(path).name
