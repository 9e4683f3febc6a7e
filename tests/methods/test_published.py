"""Published accuracies: what is said beside them, and when a difference from them means something."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from datastill import methods
from datastill.methods.published import Accuracy, published


def test_numbers_are_by_data_set_and_ipc() -> None:
    found = published(best=True, cifar10={1: 46.3, 10: 65.3}, svhn={1: 20.0})
    assert {place: each.percent for place, each in found.items()} == {("cifar10", 1): 46.3, ("cifar10", 10): 65.3, ("svhn", 1): 20.0}
    assert {each.said for each in found.values()} == {"best of several tests"}


@pytest.mark.parametrize(
    ("accuracy", "table", "said"),
    [
        (Accuracy(30.0), "dc", ""),
        (Accuracy(30.0), "idc", "DC protocol"),
        (Accuracy(30.0, protocol="idc"), "idc", ""),
        (Accuracy(30.0, differs="another kernel"), "dc", "another kernel"),
        (Accuracy(30.0, best=True, differs="another kernel"), "idc", "another kernel; DC protocol; best of several tests"),
    ],
)
def test_what_is_said_beside_a_number_depends_on_the_protocol_of_the_table(accuracy: Accuracy, table: str, said: str) -> None:
    assert accuracy.under(table).said == said


def test_all_published_numbers_of_methods_are_percentages_of_known_data_sets() -> None:
    modules = [importlib.import_module(f"{methods.__name__}.{each.name}") for each in pkgutil.iter_modules(methods.__path__)]
    tables = {module.__name__: module.PUBLISHED for module in modules if hasattr(module, "PUBLISHED")}
    assert len(tables) > 10
    for found in tables.values():
        assert all(isinstance(each, Accuracy) and 5 < each.percent < 95 for each in found.values())
        assert {data for data, _ in found} <= {"svhn", "cifar10", "cifar100", "tinyimagenet"}
