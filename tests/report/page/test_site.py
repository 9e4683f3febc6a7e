"""The site of results: a table made from records, with a page for every row."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from commands import refusal
from datastill.experiments import Block, Experiment, Row
from datastill.experiments.stored import write_record
from datastill.report.page.site import write_site
from records import METHOD, record
from tiny_sets import distilled_set

TABLE = Experiment("A <b>table</b>", (Block("digits", (2, 5), 30, repeats=2, seeds=(0, 1)),), (Row("dm"), Row("dm+cm")))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Records of all rows but one; one of them keeps its set."""
    for number, cell in enumerate(TABLE.cells("table", {"table": TABLE})):
        if "digits-ipc5/dm+cm" not in cell.name:
            write_record(record(cell, (40.0 + number, 50.0), method=METHOD), tmp_path / "results" / cell.name)
    distilled_set(("a", "b")).pack(tmp_path / "results" / "table/digits-ipc2/dm/seed1/images.safetensors", "float16")
    return tmp_path / "results"


def test_every_row_leads_to_its_page_its_command_and_its_set(results: Path, tmp_path: Path) -> None:
    assert write_site(results, tmp_path / "site", {"table": TABLE}) == 3
    assert write_site(results, tmp_path / "site", {"table": TABLE}) == 3
    page = (tmp_path / "site" / "index.html").read_text()
    addresses = re.findall(r'<a href="((?:runs|sets)/[^"]+)"', page)
    assert sorted(addresses) == [
        "runs/table/digits-ipc2-dm-cm.html", "runs/table/digits-ipc2-dm.html", "runs/table/digits-ipc5-dm.html",
        "sets/table/digits-ipc2-dm/seed1/images.safetensors",
    ]  # fmt: skip
    assert all((tmp_path / "site" / address).is_file() for address in addresses)
    assert "datastill distill digits --method dm+cm --ipc 2 --seed 1 --iterations 30" in page
    assert "A &lt;b&gt;table&lt;/b&gt;" in page
    assert "4 on 2 sets" in page
    assert 'data-kind="distribution matching"' in page
    assert "DC: convnet, 1000 epochs, test split" in page
    own = (tmp_path / "site" / "runs/table/digits-ipc2-dm.html").read_text()
    assert "dm on digits, 2 images per class" in own
    assert 'href="../../index.html"' in own
    assert not re.findall(r'(?:src|href)="(?:https?:|//)', page + own)


def test_there_must_be_records_and_room(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "no records of distilled sets in" in refusal(capsys, "site", str(tmp_path / "empty"), "--out", str(tmp_path / "site"))
    assert "holds other files and no site: choose another --out" in refusal(capsys, "site", str(results), "--out", str(results))


def test_a_table_of_other_methods_is_another(results: Path, tmp_path: Path) -> None:
    other = replace(TABLE, rows=(Row("dm"),))
    assert write_site(results, tmp_path / "site", {"table": other}) == 2
