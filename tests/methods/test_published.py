"""Published accuracies: what is said beside them, and when a difference from them means something."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from datastill import methods
from datastill.evaluation.protocol import PROTOCOLS
from datastill.methods.published import PublishedAccuracy, published


def test_numbers_are_by_data_set_and_ipc() -> None:
    found = published(best=True, cifar10={1: 46.3, 10: 65.3}, svhn={1: 20.0})
    assert {place: each.percent for place, each in found.items()} == {("cifar10", 1): 46.3, ("cifar10", 10): 65.3, ("svhn", 1): 20.0}
    assert {each.qualifier for each in found.values()} == {"best of several tests"}


@pytest.mark.parametrize(
    ("accuracy", "table", "said"),
    [
        (PublishedAccuracy(30.0), "dc", ""),
        (PublishedAccuracy(30.0), "idc", "DC protocol"),
        (PublishedAccuracy(30.0, protocol="idc"), "idc", ""),
        (PublishedAccuracy(30.0, differs="another kernel"), "dc", "another kernel"),
        (PublishedAccuracy(30.0, differs="AdamW", protocol=""), "idc", "AdamW"),
        (PublishedAccuracy(30.0, best=True, differs="another kernel"), "idc", "another kernel; DC protocol; best of several tests"),
    ],
)
def test_what_is_said_beside_a_number_depends_on_the_protocol_of_the_table(accuracy: PublishedAccuracy, table: str, said: str) -> None:
    assert accuracy.beside(table).qualifier == said
    assert accuracy.beside(table).beside(table) == accuracy.beside(table)


TABLE1 = """
dd - - - - 36.8 - - - -
ld - - - 25.7 38.3 42.5 11.5 - -
dc 31.2 76.1 82.3 28.3 44.9 53.9 12.8 25.2 -
dsa 27.5 79.2 84.4 28.8 52.1 60.6 13.9 32.3 42.8
kip 62.4 81.1 84.3 29.8 46.1 53.2 12.0 29.0 -
cafe 42.9 77.9 82.3 30.3 46.3 55.5 12.9 27.8 37.9
dcc 34.3 76.2 83.3 34.0 54.4 64.2 14.6 33.5 39.3
datadam - - - 32.0 54.2 67.0 14.5 34.8 49.4
"""
"""Of the IID paper: SVHN, CIFAR-10 and CIFAR-100, each at IPC 1, 10 and 50."""
TABLES = {
    each.name: module.PUBLISHED
    for each in pkgutil.iter_modules(methods.__path__)
    if hasattr(module := importlib.import_module(f"{methods.__name__}.{each.name}"), "PUBLISHED")
}


@pytest.mark.parametrize("line", TABLE1.split("\n")[1:-1])
def test_methods_have_the_numbers_of_the_table_that_compares_them(line: str) -> None:
    name, *numbers = line.split()
    columns = [(data, ipc) for data in ("svhn", "cifar10", "cifar100") for ipc in (1, 10, 50)]
    printed = {place: float(number) for place, number in zip(columns, numbers, strict=True) if number != "-"}
    assert {place: each.percent for place, each in TABLES[name].items() if place in columns} == printed


def test_all_published_numbers_of_methods_are_percentages_of_known_data_sets() -> None:
    tables = TABLES
    assert len(tables) > 10
    assert {each.protocol for found in tables.values() for each in found.values()} <= {*PROTOCOLS, ""}
    for found in tables.values():
        assert all(isinstance(each, PublishedAccuracy) and 5 < each.percent < 95 for each in found.values())
        assert {data for data, _ in found} <= {"svhn", "cifar10", "cifar100", "tinyimagenet"}
