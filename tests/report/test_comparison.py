"""Results of any origin side by side: what may stand in one table, what is one line, and the files they are written to."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from matplotlib.image import imread

from datastill.cli import main
from datastill.configuration import describe
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import Cell
from datastill.experiments.stored import write_record
from datastill.files import write_atomic
from datastill.methods import method
from datastill.report.comparison import ComparisonLine, compare, write_comparison
from datastill.report.comparison.measured import values_of
from records import MAKER, METHOD, record

CELL = Cell("table/dm", "table/dm", "digits", "dm", 2, 0, 30, repeats=2)


def written(folder: Path, cell: Cell = CELL, accuracies: tuple[float, ...] = (40.0, 50.0), **changes: Any) -> Path:
    """The record of a cell in its folder."""
    write_record(record(replace(cell, repeats=len(accuracies)), accuracies, **changes), folder / cell.name)
    return folder / cell.name


def evaluation(path: Path, accuracies: tuple[float, ...] = (40.0, 50.0), **changes: Any) -> Path:
    """The JSON of an evaluation."""
    content = {
        "data": "digits", "fingerprint": "0123", "split": "test", "seed": 0, "protocol": {"network": "convnet", "epochs": 1000},
        "labels": "hard", "class_names": ["a", "b"], "images": 4, "accuracies": accuracies, "engine": {"precision": "fp32"},
    }  # fmt: skip
    write_atomic(path, json.dumps({**content, **changes}))
    return path


def run(folder: Path, seed: int = 0, method: dict[str, Any] | None = None) -> Path:
    """The folder of a run that has not been evaluated."""
    config = {
        "data": {"name": "digits", "fingerprint": "0123"}, "method": {"name": "dm", **(method or METHOD)}, "ipc": 2, "seed": seed,
        "iterations": 30, "engine": {"precision": "fp32"}, "validate_at": {"iterations": [30], "network": "convnet", "epochs": 5},
    }  # fmt: skip
    write_atomic(folder / "config.yaml", yaml.safe_dump(config))
    return folder


def only(*paths: Path) -> ComparisonLine:
    """The single line of a comparison."""
    (table,) = compare(paths).tables
    (line,) = table.lines
    return line


OTHERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "data": ({"data": "cifar10"}, {}),
    "training split": ({}, {"fingerprint": "4567"}),
    "split": ({"split": "validation"}, {}),
    "network": ({"protocol": Protocol("vgg11")}, {}),
    "epochs": ({}, {"evaluation_epochs": 300}),
    "augmentation": ({"protocol": Protocol(augment=False, epochs=1000)}, {}),
    "augmentation by name": ({"protocol": Protocol(augmentation="idc")}, {}),
    "batch": ({"protocol": Protocol(batch=64)}, {}),
    "learning rate": ({"protocol": Protocol(learning_rate=0.1)}, {}),
    "labels": ({}, {"label_kind": "weights"}),
    "learned rate": ({}, {"learned_rate": 0.02}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_was_measured_otherwise_is_in_another_table(other: str, tmp_path: Path) -> None:
    cell, changes = OTHERS[other]
    first = written(tmp_path)
    second = written(tmp_path, replace(CELL, name="table/other", method="dm+cm", **cell), **changes)
    tables = compare([first, second]).tables
    assert [[line.name for line in table.lines] for table in tables] == [["dm"], ["other"]]
    assert tables[0].title != tables[1].title
    alike = written(tmp_path, replace(CELL, name="table/alike", method="dm+cm", seed=3, ipc=10))
    (table,) = compare([first, alike]).tables
    assert [(line.name, line.ipc) for line in table.lines] == [("dm", 2), ("alike", 10)]


def test_a_field_that_a_description_leaves_out_is_compared_at_its_default() -> None:
    plain, other = (values_of(describe(method("dm", settings=(f"augmentation={name}",))), 10) for name in ("dsa", "idc"))
    assert (plain["augmentation"], other["augmentation"]) == ("dsa", "idc")
    assert {path for path in plain if plain[path] != other[path]} == {"augmentation"}
    assert set(plain) == set(other)


def test_titles_say_the_conditions(tmp_path: Path) -> None:
    changed = Protocol("vgg11", augment=False, batch=64)
    found = compare([written(tmp_path, replace(CELL, protocol=changed), label_kind="weights", learned_rate=0.02, evaluation_epochs=300)])
    assert [table.title for table in found.tables] == [
        "digits, test split, DC protocol: vgg11, 300 epochs, not augmented, batch 64; labels: soft, learned learning rate"
    ]


def test_runs_that_differ_in_the_seed_are_one_line_with_the_spread_of_their_means(tmp_path: Path) -> None:
    for seed, accuracies in enumerate([(40.0, 50.0), (46.0, 46.0), (47.0, 47.0)]):
        written(tmp_path, replace(CELL, name=f"table/dm/seed{seed}", run=f"table/dm/seed{seed}", seed=seed), accuracies)
    line = only(tmp_path)
    assert (line.name, line.n, line.sets, line.accuracy, line.differs) == ("dm", 6, 3, 46, "")
    assert line.std == pytest.approx((2 / 3) ** 0.5)  # of 45, 46, 47
    assert line.interval95 == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    one = only(tmp_path / "table" / "dm" / "seed0")
    assert (one.n, one.sets, one.std) == (2, 1, 5)
    single = only(written(tmp_path / "single", accuracies=(41.0,)))
    assert (single.n, single.std, single.interval95) == (1, None, None)


def test_more_networks_on_one_set_are_no_more_sets(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    evaluation(folder / "evaluation.json", (40.0, 50.0))
    evaluation(folder / "more.json", (40.0, 50.0, 60.0))  # the same networks and one more
    evaluation(folder / "other.json", (90.0,), seed=1)
    line = only(folder)
    assert (line.n, line.sets, line.accuracy) == (4, 1, 60)


def test_a_record_and_the_run_that_it_is_of_count_once(tmp_path: Path) -> None:
    folder = run(tmp_path / "runs" / "dm")
    evaluation(folder / "evaluation.json")
    line = only(folder, written(tmp_path), folder)
    assert (line.n, line.sets, line.sources) == (2, 1, (str(folder),))


def test_the_runs_of_an_experiment_have_the_accuracies_of_their_records(tmp_path: Path) -> None:
    folders = [run(tmp_path / "runs" / "table" / "dm" / f"seed{seed}", seed) for seed in range(3)]
    for seed, accuracies in enumerate([(40.0, 50.0), (46.0, 46.0)]):
        name = f"table/dm/seed{seed}"
        written(tmp_path / "results", replace(CELL, name=name, run=name, seed=seed), accuracies)
    other = replace(CELL, name="table/vgg11/seed0", run="table/dm/seed0", protocol=Protocol("vgg11"))  # the same set with another network
    written(tmp_path / "results", other, (20.0, 30.0))
    found = compare([tmp_path / "runs"], tmp_path / "results")
    assert [
        (table.conditions.protocol.network, [(line.n, line.sets, line.accuracy) for line in table.lines]) for table in found.tables
    ] == [
        ("convnet", [(4, 2, 45.5)]),
        ("vgg11", [(2, 1, 25)]),
    ]
    assert found.unmeasured == (folders[2],)
    both = compare([tmp_path / "runs", tmp_path / "results"], tmp_path / "results")
    assert [[line.n for line in table.lines] for table in both.tables] == [[4], [2]]
    evaluation(folders[0] / "evaluation.json", (90.0,))
    assert compare([folders[0]], tmp_path / "results").tables[0].lines[0].accuracy == 90  # an evaluation beside the run comes first


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"ipc": 3}, {"iterations": 31}, {"data": {"name": "digits", "fingerprint": "x"}}, {"method": {"momentum": 0.6}}]
)
def test_a_record_of_another_set_in_that_place_is_no_record_of_the_run(change: dict[str, Any], tmp_path: Path) -> None:
    folder = run(tmp_path / "runs" / "table" / "dm")
    written(tmp_path / "results")
    assert compare([folder], tmp_path / "results").tables
    config = yaml.safe_load((folder / "config.yaml").read_text())
    write_atomic(folder / "config.yaml", yaml.safe_dump({**config, **change, "method": {**config["method"], **change.get("method", {})}}))
    with pytest.raises(UserError, match="1 set there, not evaluated yet"):
        compare([folder], tmp_path / "results")


def test_equal_seeds_of_different_runs_are_two_lines(tmp_path: Path) -> None:
    for name, accuracies in (("a", (40.0,)), ("b", (41.0,))):
        evaluation(run(tmp_path / name) / "evaluation.json", accuracies)
    (table,) = compare([tmp_path]).tables
    assert [(line.n, line.sets, line.sources) for line in table.lines] == [(1, 1, (str(tmp_path / name),)) for name in "ab"]


def test_records_of_two_folders_of_results_are_two_lines(tmp_path: Path) -> None:
    for name, accuracies in (("before", (40.0, 41.0)), ("after", (42.0, 43.0))):
        written(tmp_path / name, accuracies=accuracies)
    (table,) = compare([tmp_path / "before", tmp_path / "after"]).tables
    assert [(line.n, line.accuracy) for line in table.lines] == [(2, 40.5), (2, 42.5)]


def test_the_same_networks_with_other_results_are_two_lines(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    for name, accuracies in (("fp32", (40.0, 50.0)), ("bf16", (40.0, 51.0))):
        evaluation(folder / f"{name}.json", accuracies)
    (table,) = compare([folder]).tables
    assert [line.accuracy for line in table.lines] == [45.5, 45]


def test_lines_of_one_name_say_what_they_differ_in(tmp_path: Path) -> None:
    heavy = {**METHOD, "terms": {"mm": {"class": "somewhere.MeanMatching", "weight": 2.0}}, "momentum": 0.5}
    for name, made in (("light", METHOD), ("heavy", heavy)):
        evaluation(run(tmp_path / name, method=made) / "evaluation.json")
    (table,) = compare([tmp_path]).tables
    assert {line.differs for line in table.lines} == {"mm.weight=1.0", "mm.weight=2.0"}


def test_an_evaluation_alone_is_never_put_together_with_others(tmp_path: Path) -> None:
    made, random = {"method": "dm+cc", "seed": 0, "iterations": 7}, {"random": {"accuracies": [20.0, 30.0]}}
    files = [evaluation(tmp_path / f"{name}.json", made=made, comparisons=random) for name in "ab"]
    (table,) = compare(files).tables
    assert [(line.name, line.ipc, line.sets, line.random) for line in table.lines] == [("dm+cc", 2, 1, 25)] * 2
    earlier = tmp_path / "earlier.json"
    content = json.loads(files[0].read_text())
    earlier.write_text(json.dumps({key: value for key, value in content.items() if key not in ("labels", "made", "fingerprint", "images")}))
    assert only(earlier).name == "earlier"


def test_several_networks_of_one_evaluation_are_several_tables(tmp_path: Path) -> None:
    each = json.loads(evaluation(tmp_path / "one.json").read_text())
    networks = {name: {**each, "protocol": {"network": name, "epochs": 1000}} for name in ("convnet", "vgg11")}
    (tmp_path / "across.json").write_text(json.dumps({"networks": networks}))
    assert [table.conditions.protocol.network for table in compare([tmp_path / "across.json"]).tables] == ["convnet", "vgg11"]


def test_a_run_that_was_not_evaluated_has_the_last_point_of_its_curve(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    lines = [{"iteration": 0, "validation_accuracy": 10.0}, {"iteration": 30, "validation_accuracy": 20.0}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (table,) = compare([folder]).tables
    assert (table.conditions.split, table.conditions.protocol.passes) == ("validation", 5)
    assert [(line.accuracy, line.n) for line in table.lines] == [(20, 1)]


def test_the_run_says_what_an_earlier_evaluation_does_not(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    evaluation(folder / "evaluation.json", fingerprint="")
    (table,) = compare([folder, written(tmp_path, replace(CELL, name="table/dm+cm", run="table/dm+cm"))]).tables
    assert (table.conditions.fingerprint, len(table.lines)) == ("0123", 2)
    alone = evaluation(tmp_path / "alone.json", fingerprint="")
    assert [table.title.partition("(")[2] for table in compare([folder, alone]).tables] == [
        "training split 0123)",
        "training split not recorded)",
    ]


def test_a_teacher_is_no_set(tmp_path: Path) -> None:
    write_atomic(tmp_path / "teacher" / "config.yaml", yaml.safe_dump({"network": "resnet18", "recipe": {"epochs": 4}}))
    assert compare([tmp_path / "teacher", written(tmp_path)]).unmeasured == ()


def test_sets_without_a_result_are_named(tmp_path: Path) -> None:
    bare = run(tmp_path / "bare")
    found = compare([bare, written(tmp_path)])
    assert found.unmeasured == (bare,)
    write_comparison(found, tmp_path / "c.md")
    assert f"Not evaluated: {bare}; datastill evaluate {bare} --out " in (tmp_path / "c.md").read_text()
    with pytest.raises(UserError, match=r"no result in .*bare; 1 set there, not evaluated yet: datastill evaluate "):
        compare([bare])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", "{", "x.json is damaged"),
        ("x.json", "{}", "x.json is not an evaluation"),
        (
            "x.json",
            '{"accuracies": [101], "data": "digits"}',
            r"x.json is damaged: accuracies\.0: Input should be less than or equal to 100",
        ),
        ("x/record.json", '{"distilled_by": {}}', "record.json is damaged: cell: Field required"),
    ],
)
def test_what_is_damaged_is_named(name: str, content: str, said: str, tmp_path: Path) -> None:
    write_atomic(tmp_path / name, content)
    with pytest.raises(UserError, match=said):
        compare([tmp_path / name])
    with pytest.raises(UserError, match=r"there is no .*absent"):
        compare([tmp_path / "absent"])
    with pytest.raises(UserError, match="nothing to compare"):
        compare([])


def test_files_hold_what_the_tables_do(tmp_path: Path) -> None:
    folder = tmp_path / "a_b"
    written(folder)
    written(
        folder,
        replace(CELL, name="table/50%_&", run="table/50%_&", method="dm+cm"),
        comparisons={"random": (20.0, 30.0)},
        evaluated_by=replace(MAKER, precision="bf16"),
    )
    found = compare([folder])
    for ending in ("md", "tex", "csv", "png", "svg"):
        write_comparison(found, tmp_path / f"c.{ending}")
    text = (tmp_path / "c.md").read_text()
    assert "## digits, test split, DC protocol: convnet, 1000 epochs; labels: hard" in text
    assert "| 50%_& | 2 | 45.00 +- 5.00 |  | 2 | 25.00 |" in text  # two values have no interval
    assert "several precisions (bf16, fp32)" in text
    tex = (tmp_path / "c.tex").read_text()
    assert r"50\%\_\& & 2 & 45.00 $\pm$ 5.00 &  & 2 & 25.00 \\ % " in tex
    assert (tex.count(r"\begin{table}"), tex.count(r"\toprule")) == (1, 1)
    with (tmp_path / "c.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["name"], line["accuracy"], line["n"], line["protocol.epochs"], line["split"]) for line in lines] == [
        ("50%_&", "45.0", "2", "1000", "test"), ("dm", "45.0", "2", "1000", "test"),
    ]  # fmt: skip
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    red, green, blue = imread(tmp_path / "c.png")[..., :3].transpose(2, 0, 1)
    points, frame = (blue - red > 0.4).any(1).nonzero()[0], ((green < 0.25).mean(1) > 0.5).nonzero()[0]
    assert frame[0] + 10 < points[0] < points[-1] < frame[-1] - 10  # no point is drawn on the frame
    assert "<svg" in (tmp_path / "c.svg").read_text()
    for ending in ("png", "pdf", "svg"):
        write_comparison(found, tmp_path / f"c.{ending}")
        write_comparison(found, tmp_path / f"again.{ending}")
        assert (tmp_path / f"c.{ending}").read_bytes() == (tmp_path / f"again.{ending}").read_bytes()
    with pytest.raises(
        UserError, match=r"c\.doc has no known format: expected a name that ends in \.md, \.tex, \.csv, \.png, \.pdf or \.svg"
    ):
        write_comparison(found, tmp_path / "c.doc")


def test_the_command_compares_runs_and_results(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in ("0", "1"):
        tiny = ("--method", "dm", "--ipc", "1", "--iterations", "1", "--real-batch", "8", "--seed", seed)
        main(["distill", "digits[0-2]", *tiny, "--out", f"runs/{seed}"])
        main(
            ["evaluate", f"runs/{seed}", "--epochs", "2", "--repeats", "2", "--compare", "random", "--out", f"runs/{seed}/evaluation.json"]
        )
    found = [json.loads(Path(f"runs/{seed}/evaluation.json").read_text()) for seed in (0, 1)]
    assert [each["made"] for each in found] == [{"method": "dm", "iterations": 1, "seed": seed} for seed in (0, 1)]
    capsys.readouterr()
    main(["compare", "runs", "--out", "c.csv"])
    printed = capsys.readouterr().out
    assert "digits[0-2], test split, DC protocol: convnet, 2 epochs; labels: hard" in printed
    assert printed.endswith("wrote c.csv\n")
    with Path("c.csv").open() as file:
        (line,) = csv.DictReader(file)
    means = [sum(each["accuracies"]) / 2 for each in found]
    assert (line["name"], line["ipc"], line["n"], line["sets"]) == ("dm", "1", "4", "2")
    assert float(line["accuracy"]) == pytest.approx(sum(means) / 2)
    assert float(line["std"]) == pytest.approx(abs(means[0] - means[1]) / 2)
    for arguments, said in ((["runs", "--out", "c.doc"], "has no known format"), (["absent"], "there is no absent")):
        with pytest.raises(SystemExit):
            main(["compare", *arguments])
        captured = capsys.readouterr()
        assert (captured.out, said in captured.err) == ("", True)
