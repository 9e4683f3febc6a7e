"""datastill: dataset distillation by distribution matching, with constraints that plug into any method.

Example:
    >>> import datastill
    >>> datastill.load("digits").classes
    10
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datastill.artifact import DistilledSet
    from datastill.data import load
    from datastill.distill import distill
    from datastill.encoders import pretrain
    from datastill.errors import UserError
    from datastill.evaluate import Protocol, evaluate, evaluate_across
    from datastill.export import export
    from datastill.methods.grammar import method
    from datastill.terms import Term

_HOMES = {
    "DistilledSet": "datastill.artifact",
    "Protocol": "datastill.evaluate",
    "Term": "datastill.terms",
    "UserError": "datastill.errors",
    "distill": "datastill.distill",
    "evaluate": "datastill.evaluate",
    "evaluate_across": "datastill.evaluate",
    "export": "datastill.export",
    "load": "datastill.data",
    "method": "datastill.methods",
    "pretrain": "datastill.encoders",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the command's help must not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'datastill' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Keeps the functions' names: importing the module ``datastill.evaluate`` must not put it where the function `evaluate` belongs."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

__all__ = [
    "DistilledSet",
    "Protocol",
    "Term",
    "UserError",
    "distill",
    "evaluate",
    "evaluate_across",
    "export",
    "load",
    "method",
    "pretrain",
]
