"""Which cells are asked for, by what they are or by their names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.cli.parameters import entries
from datastill.errors import UserError
from datastill.experiments import EXPERIMENTS, Block, Experiment, Row
from datastill.experiments.choosing import chosen

BLOCK = Block("cifar10[3,5]", (1, 10), 5, seeds=(0, 1))
TABLE = Experiment(
    "A title",
    (BLOCK, replace(BLOCK, data="digits", ipcs=(10,), seeds=(0,))),
    (Row("dm"), Row("dm+iid"), Row("dm", label="other", network="vgg11", of="table/dm")),
)
CELLS = TABLE.cells("table", {"table": TABLE})


def names(*only: str) -> list[str]:
    return [cell.name.removeprefix("table/") for cell in chosen("table", CELLS, only)]


def test_keys_must_all_hold_and_values_of_one_key_are_alternatives() -> None:
    assert names() == [cell.name.removeprefix("table/") for cell in CELLS]
    assert names("data=cifar10", "ipc=10", "method=dm+iid") == ["cifar10-3-5-ipc10/dm+iid/seed0", "cifar10-3-5-ipc10/dm+iid/seed1"]
    assert names("data=cifar10[3,5]", "seed=1", "method=dm+iid") == ["cifar10-3-5-ipc1/dm+iid/seed1", "cifar10-3-5-ipc10/dm+iid/seed1"]
    assert names("ipc=1", "ipc=10", "data=digits", "method=dm+iid") == ["digits-ipc10/dm+iid"]
    assert names("network=vgg11", "data=digits") == names("method=other", "data=digits") == ["digits-ipc10/other"]
    assert names("method=dm", "data=digits") == ["digits-ipc10/dm", "digits-ipc10/other"]  # the method, whatever the row is called
    assert names("other", "digits-ipc10") == names("digits-ipc10", "other")
    assert names("other", "data=digits") == ["digits-ipc10/other"]
    assert names("digits-ipc10/dm", "cifar10-3-5-ipc1/dm/seed1") == ["cifar10-3-5-ipc1/dm/seed1", "digits-ipc10/dm"]


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (("dm+cc",), "unknown row 'dm+cc'. Did you mean 'dm'?"),
        (("method=dm+cc",), "unknown method 'dm+cc'. Did you mean 'dm'? Known: dm, dm+iid, other."),
        (("data=digits", "ipc=2"), "unknown ipc '2'. Known: 1, 10."),
        (("dat=digits",), "unknown key 'dat'. Did you mean 'data'?"),
        (("data=digits", "ipc=1"), "no cell of table has all of data=digits, ipc=1"),
    ],
)
def test_what_names_nothing_is_refused(only: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        names(*only)


@pytest.mark.parametrize(
    ("only", "said"),
    [("", "got ''"), ("ipc=", "got 'ipc='"), ("ipc=1,10", "'10' is no row of table: write ipc=10, with the key before every value")],
)
def test_a_choice_that_is_half_written_is_refused(only: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        chosen("table", CELLS, entries(only) or [only])


def test_teachers_are_chosen_by_their_row_and_data() -> None:
    cells = EXPERIMENTS["teacher-cifar10"].cells("teacher-cifar10", EXPERIMENTS)
    assert [cell.name for cell in chosen("teacher-cifar10", cells, ["data=cifar10", "method=fast"])] == ["teacher-cifar10/fast"]
    with pytest.raises(UserError, match="unknown ipc '1'"):
        chosen("teacher-cifar10", cells, ["ipc=1"])


def test_the_command_splits_at_commas_outside_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "data: [{data: 'digits[1,2]', label: some}, 'digits[0-2]']\nmethods: [random, dm]\nipc: 1\nrepeats: 1\nprotocol: {epochs: 1}\n"
    )
    main(["experiment", "mine.yaml", "--only", "data=digits[1,2],method=random,ipc=1"])
    assert [path.parent.name for path in Path("results").rglob("record.json")] == ["random"]
    assert Path("results/mine/some-ipc1/random/record.json").exists()
