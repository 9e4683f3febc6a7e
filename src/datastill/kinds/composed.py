"""What the terms of every method have to fit, whatever its kind."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from datastill.errors import UserError
from datastill.networks import FIELDS
from datastill.terms import Term


def check_terms(method: str, terms: Sequence[Term], encoders: Collection[str], reserved: Collection[str]) -> None:
    """Refuse terms that do not fit a method or each other.

    Args:
        method: Its name.
        terms: All of its terms.
        encoders: The names that a term may read.
        reserved: Columns of the metrics that are not terms.

    Raises:
        UserError: If a term reads what there is not, has a weight that is not finite or a reserved name, or is there twice.
    """
    for term in terms:
        term.check_target()
        if term.encoder not in encoders or not set(term.reads) <= set(FIELDS):
            raise UserError(
                f"the term '{term.name}' reads {term.reads!r} of the encoder '{term.encoder}'; {method} has the encoders "
                f"{', '.join(encoders)}, and features have {', '.join(FIELDS)} (a term can bring its own encoder with the attribute brings)"
            )
        if not math.isfinite(term.weight):
            raise UserError(f"the weight of the term '{term.name}' must be a finite number, got {term.weight}")
        if term.name in reserved:
            raise UserError(f"a term cannot be called '{term.name}': that name is a column of the metrics")
    names = [term.name for term in terms]
    if len(set(names)) < len(names):
        raise UserError(f"{method} has a term twice: {', '.join(names)}")
