"""Results of any origin side by side: runs, records and evaluations, in tables of what may be compared."""

from __future__ import annotations

from datastill.report.comparison.formats import FORMATS, write_comparison
from datastill.report.comparison.measured import Conditions, Measured
from datastill.report.comparison.tables import Comparison, ComparisonLine, ComparisonTable, compare
from datastill.report.comparison.terminal import print_comparison

__all__ = [
    "FORMATS",
    "Comparison",
    "ComparisonLine",
    "ComparisonTable",
    "Conditions",
    "Measured",
    "compare",
    "print_comparison",
    "write_comparison",
]
