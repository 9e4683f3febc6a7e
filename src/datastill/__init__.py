"""datastill: dataset distillation by distribution matching, with constraints that plug into any method.

Example:
    >>> import datastill
    >>> datastill.load("digits").classes
    10
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself would let Ctrl-C wait longer for its handler
if TYPE_CHECKING:
    from typing import Any

    from datastill.analysis import analyse
    from datastill.data import load
    from datastill.distilled import DistilledSet, export
    from datastill.errors import UserError
    from datastill.evaluation import Protocol
    from datastill.evaluation.evaluate import evaluate, evaluate_across
    from datastill.experiments.continual import continual
    from datastill.experiments.privacy import membership_inference
    from datastill.experiments.search import architecture_search
    from datastill.experiments.sets import load_set
    from datastill.methods.grammar import method
    from datastill.report.publishing import push
    from datastill.runs.distill import distill
    from datastill.runs.repeat import repeat, resume
    from datastill.teachers import pretrain
    from datastill.terms import Term

_HOMES = {
    "DistilledSet": "datastill.distilled",
    "Protocol": "datastill.evaluation",
    "Term": "datastill.terms",
    "UserError": "datastill.errors",
    "analyse": "datastill.analysis",
    "architecture_search": "datastill.experiments.search",
    "continual": "datastill.experiments.continual.learning",
    "distill": "datastill.runs.distill",
    "evaluate": "datastill.evaluation.evaluate",
    "evaluate_across": "datastill.evaluation.evaluate",
    "export": "datastill.distilled",
    "load": "datastill.data",
    "load_set": "datastill.experiments.sets",
    "membership_inference": "datastill.experiments.privacy",
    "method": "datastill.methods",
    "pretrain": "datastill.teachers",
    "push": "datastill.report.publishing",
    "repeat": "datastill.runs.repeat",
    "resume": "datastill.runs.repeat",
}


def __getattr__(name: str) -> Any:
    """Import names lazily: the command's help must not wait for torch."""
    if name == "__version__":
        value: Any = importlib.import_module("datastill.provenance").package_version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'datastill' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What users need, imported or not, and none of the names that this module itself needs."""
    return sorted(
        {*_HOMES, "__version__", *(name for name in globals() if name.startswith("__") and name not in ("__dir__", "__getattr__"))}
    )


__all__ = [
    "DistilledSet",
    "Protocol",
    "Term",
    "UserError",
    "analyse",
    "architecture_search",
    "continual",
    "distill",
    "evaluate",
    "evaluate_across",
    "export",
    "load",
    "load_set",
    "membership_inference",
    "method",
    "pretrain",
    "push",
    "repeat",
    "resume",
]
