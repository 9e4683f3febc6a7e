from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datastill.evaluation.protocol import PROTOCOLS
from datastill.experiments import Block, Experiment, Row
from datastill.experiments.stored import write_record
from datastill.methods.published import PublishedAccuracy
from datastill.report.results import write
from records import MAKER, METHOD, record

TABLE = Experiment("A title", (Block("digits", (2,), 30, repeats=2),), (Row("dm", 48.5), Row("dm+cm")), remark="Mind this.")


def page(folder: Path, experiment: Experiment, *changes: dict[str, Any]) -> str:
    """The page of a table whose first cells have records, each with its changes."""
    specifications = {"table": experiment}
    for cell, changed in zip(experiment.cells("table", specifications), changes, strict=False):
        accuracies = changed.pop("accuracies", (40.0, 50.0))
        write_record(record(replace(cell, repeats=len(accuracies)), accuracies, **changed), folder / cell.name)
    write("table", folder, specifications)
    text = (folder / "table" / "README.md").read_text()
    heads = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert set(heads) <= {13, 11, *range(3, 10)}  # every line of a table has as many cells as its head
    return text


def test_a_page_opens_with_what_a_reader_wants(tmp_path: Path) -> None:
    text = page(tmp_path, TABLE, {}, {"accuracies": (41.0,), "curve": ((0, 9.0),)})
    assert text.startswith(
        "# A title\n\n| method | IPC (images per class) | accuracy % (mean +- std) | 95% interval | n | published | difference | minutes |"
    )
    maker = "1000 epochs | fp32 | A processor | abc |"
    # 12.71 * 7.07 / sqrt(2)
    assert f"| `dm` | 2 | 45.00 +- 5.00 |  | 2 | 48.5 | -3.50 | 1.0 | convnet, {maker}" in text
    assert f"| `dm+cm` | 2 | 41.00 |  | 1 |  |  | 1.0 | convnet, {maker}" in text  # one network has no spread
    assert text.index("Mind this.") < text.index("## Provenance") < text.index("[dm+cm/metrics.jsonl](dm+cm/metrics.jsonl)")
    assert "![accuracy over iterations](curve.png)" in text
    assert (tmp_path / "table" / "curve.png").exists()


def test_rows_that_are_missing_are_in_the_title(tmp_path: Path) -> None:
    text = page(tmp_path, TABLE, {})
    assert text.startswith("# A title (1 of 2 cells)\n\nNot run: `dm+cm`.\n")
    assert "curve" not in text


def test_no_difference_is_printed_from_another_measurement(tmp_path: Path) -> None:
    kernels = PublishedAccuracy(29.8, differs="another kernel")
    rows = replace(TABLE, rows=(Row("kip", kernels), Row("dm", PublishedAccuracy(48.5, best=True)), Row("ld", kernels)))
    text = page(tmp_path, rows, {}, {})
    assert "| 2 | 29.8 (another kernel) |  | 1.0 |" in text
    assert "| 2 | 48.5 (best of several tests) | -3.50 | 1.0 |" in text
    assert "| `ld` | 2 | not run |  |  | 29.8 (another kernel) |" in text
    with (tmp_path / "table" / "table.csv").open() as file:
        found = [(line["paper"], line["paper_differs"], line["paper_best"]) for line in csv.DictReader(file)]
    assert found == [("29.8", "another kernel", "False"), ("48.5", "", "True")]
    assert "No difference is printed where" in text
    assert "No difference is printed" not in page(tmp_path / "alike", TABLE, {}, {})
    idc = replace(
        rows, rows=(Row("dance", PublishedAccuracy(70.8, protocol="idc")), Row("dm", PublishedAccuracy(48.5))), protocol=PROTOCOLS["idc"]
    )
    text = page(tmp_path / "idc", idc, {}, {})
    assert "| 2 | 70.8 | -25.80 | 1.0 |" in text
    assert "| 2 | 48.5 (DC protocol) |  | 1.0 |" in text


def test_minutes_and_accuracies_over_seeds(tmp_path: Path) -> None:
    seeds = replace(TABLE, blocks=(Block("digits", (2,), 30, seeds=(0, 1, 2), repeats=2),), rows=(Row("dm"),))
    scores: list[dict[str, Any]] = [{"accuracies": values} for values in ((40.0, 50.0), (46.0, 46.0), (47.0, 47.0))]
    text = page(tmp_path, seeds, *scores)
    assert "| `dm` | 2 | 46.00 +- 0.82 | +- 2.48 | 6 on 3 sets |" in text  # 45, 46, 47; 4.303 / sqrt(3)
    assert "over distilling seeds" in text
    with (tmp_path / "table" / "table.csv").open() as file:
        (line,) = csv.DictReader(file)
    assert (line["n"], line["sets"], line["minutes"]) == ("6", "3", "1.0")


def test_soft_and_hard_labels_are_never_one_table(tmp_path: Path) -> None:
    rows = replace(TABLE, rows=(Row("dm"), Row("ld"), Row("dm+cm")))
    soft: dict[str, Any] = {"label_kind": "weights", "learned_rate": 0.02134}
    text = page(tmp_path, rows, {"curve": ((0, 9.0),)}, {**soft, "curve": ((0, 8.0),)}, {})
    first, second = text.index("## Labels: hard"), text.index("## Labels: soft")
    assert first < text.index("| `dm` | 2 | 45") < text.index("| `dm+cm` | 2 | 45") < second < text.index("| `ld` | 2 | 45")
    assert first < text.index("Labels: hard; learning rate: 0.01.") < second < text.index("Labels: soft; learning rate: 0.02134.")
    with (tmp_path / "table" / "table.csv").open() as file:
        assert [(line["labels"], line["learning_rate"]) for line in csv.DictReader(file)] == [
            ("hard", "0.01"), ("soft", "0.02134"), ("hard", "0.01"),
        ]  # fmt: skip
    with (tmp_path / "table" / "curve.csv").open() as file:
        assert [point["method"] for point in csv.DictReader(file)] == ["dm", "ld (soft labels)"]
    assert "## Labels" not in page(tmp_path / "soft", TABLE, {**soft}, {**soft})


def test_data_sets_of_two_tracks_have_headings_below_those_of_the_tracks(tmp_path: Path) -> None:
    blocks = tuple(Block(data, (2,), 30, repeats=2) for data in ("digits", "cifar10"))
    text = page(tmp_path, replace(TABLE, blocks=blocks, rows=(Row("dm"), Row("ld"))), {}, {"label_kind": "scores"}, {}, {})
    assert [line for line in text.splitlines() if line.startswith("#")][1:] == [
        "## Labels: hard", "### digits", "### cifar10", "## Labels: soft", "## Provenance",
    ]  # fmt: skip


def test_two_precisions_are_pointed_out(tmp_path: Path) -> None:
    other = replace(MAKER, precision="bf16", commits=("abc", "def"))
    text = page(tmp_path, TABLE, {}, {"evaluated_by": other})
    assert "| fp32; bf16 | A processor | abc; abc, def |" in text
    assert "several precisions (bf16, fp32)" in text
    assert "several precisions" not in page(tmp_path / "other", TABLE, {"evaluated_by": other, "distilled_by": other})
    unknown = replace(MAKER, precision="")
    assert "| fp32; not recorded |" in page(tmp_path / "unknown", TABLE, {"evaluated_by": unknown})


@pytest.mark.parametrize(("seconds", "said"), [(0.0, "none"), (0.2, "0.0033"), (192.6, "3.2"), (None, "not recorded")])
def test_minutes_of_the_teacher(seconds: float | None, said: str, tmp_path: Path) -> None:
    pool = {"network": "resnet18", "count": 1, "recipe": {"epochs": 8}, "every": 2, "most": 10}
    method = {**METHOD, "encoders": {**METHOD["encoders"], "pretrained": pool}, "by_class": True, "factor": 2}  # type: ignore[dict-item]
    text = page(
        tmp_path, TABLE, {"teacher_seconds": seconds, "method": method, "encoders": {"pretrained 0": "71ba2acc99"}, "trained_on": 16}
    )
    networks = "matching: FreshNetwork convnet; pretrained: 1 x resnet18, 8 epochs (71ba2acc) every=2 most=10"
    assert f"| {networks} | rate 1.0, momentum 0.5, factor 2, by class | {said} |" in text
    assert "on the 16 images of the set after the last iteration, the parts of stored images counted" in text


def test_the_learned_steps_are_a_protocol_without_changes(tmp_path: Path) -> None:
    text = page(tmp_path, replace(TABLE, protocol=PROTOCOLS["dd"], rows=(Row("dd"),)), {"evaluation_epochs": 3})
    assert "| convnet, 3 epochs, DD | fp32 |" in text
    assert "from scratch under the DD protocol on the" in text
    assert "learning rate: learned for each step." in text


def test_what_terms_change_is_paired_by_seed(tmp_path: Path) -> None:
    several = replace(TABLE, blocks=(Block("digits", (2,), 30, seeds=(0, 1, 2), repeats=1),), rows=(Row("dm"), Row("dm+cm"), Row("dm+cc")))
    # Far apart by seed, but every one of +cm one or two points above its own; of +cc one seed is missing.
    reached = (40.0, 60.0, 50.0, 41.0, 62.0, 51.5, 40.0, 60.0)
    text = page(tmp_path, several, *({"accuracies": (value,)} for value in reached))
    # 4.303 * .5 / sqrt(3), the only pair
    assert "| `dm+cm` | `dm` | +1.50 +- 0.41 | +- 1.24 | +- 1.24 | 3 |" in text
    assert text.count("| `dm` | +") == 1


def test_pairs_of_several_are_wider_together_and_say_their_data(tmp_path: Path) -> None:
    both = tuple(Block(data, (2,), 30, seeds=(0, 1, 2), repeats=1) for data in ("digits", "cifar10"))
    several = replace(TABLE, blocks=both, rows=(Row("dm"), Row("dm+cm")))
    reached = (40.0, 60.0, 50.0, 41.0, 62.0, 51.5, 40.0, 60.0, 50.0, 40.0, 60.0, 51.0)
    text = page(tmp_path, several, *({"accuracies": (value,)} for value in reached))
    assert "| method | against | data | IPC | difference (mean +- std) | 95% interval | the same for all 2 together | seeds |" in text
    wide = float(text.split("| +1.50 +- 0.41 | +- 1.24 | +- ")[1].split(" ")[0])
    assert wide == pytest.approx(6.2053 * 0.5 / 3**0.5, abs=0.006)  # the printed table's t at .0125 to either side, two degrees
