"""Experiments of one's own in YAML files: the specification they give, what is refused, and the guide's example from end to end."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from datastill.cli import main
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS, Block, Cell, Experiment, Row, read_experiment
from datastill.files import read_sealed

FULL = """
title: A title
data:
  - digits
  - {data: "digits[0-4]", label: five, ipc: 2, seeds: 0, settings: [real_batch=8], epochs: 7}
methods:
  - random
  - {method: dm, published: 48.5}
  - {method: dm+cm, label: heavy, settings: {cm.weight: 0.05}, published: {digits: {1: 50, 2: 51.5}}, iterations: 6, validate_at: 3}
  - {method: dm, label: vgg11, network: vgg11, of: dm}
ipc: [1, 2]
seeds: [0, 3]
iterations: 5
settings: {real_batch: 16, augment: yes, halve_at: [2, 3]}
protocol: {epochs: 3, batch: 64, learning_rate: 0.02}
validate_at: [0, 5]
repeats: 1
preset: fast
split: validation
compare: random
precision: fp32
compile: no
remark: >
  Mind this.
"""


def read(folder: Path, text: str, name: str = "mine.yaml") -> Experiment:
    path = folder / name
    path.write_text(text)
    called, experiment = read_experiment(path)
    assert called == path.stem
    return experiment


def cells(experiment: Experiment) -> dict[str, Cell]:
    return {cell.name: cell for cell in experiment.cells("mine", {**EXPERIMENTS, "mine": experiment})}


def test_a_file_gives_the_objects_that_python_does(tmp_path: Path) -> None:
    first = Block("digits", (1, 2), 5, seeds=(0, 3), validate_at=(0, 5), repeats=1)
    second = Block("digits[0-4]", (2,), 5, settings=("real_batch=8",), validate_at=(0, 5), repeats=1, epochs=7, label="five")
    assert read(tmp_path, FULL) == Experiment(
        "A title",
        (first, second),
        (
            Row("random", inherits=False, iterations=0),
            Row("dm", 48.5),
            Row("dm+cm", {("digits", 1): 50, ("digits", 2): 51.5}, ("cm.weight=0.05",), "heavy", iterations=6, validate_at=(3,)),
            Row("dm", label="vgg11", network="vgg11", of="mine/dm"),
        ),
        settings=("real_batch=16", "augment=true", "halve_at=2,3"),
        preset="fast",
        split="validation",
        compare=("random",),
        policy=Policy("fp32", compile=False),
        remark="Mind this.",
        protocol=Protocol(epochs=3, batch=64, learning_rate=0.02),
        by_size=True,
    )


def test_the_cells_have_what_the_file_says(tmp_path: Path) -> None:
    found = cells(read(tmp_path, FULL))
    assert len(found) == 2 * 2 * 4 + 4
    heavy = found["mine/digits-ipc2/heavy/seed3"]
    assert (heavy.settings[-1], heavy.iterations, heavy.validate_at, heavy.seed, heavy.preset) == ("cm.weight=0.05", 6, (3,), 3, "fast")
    assert heavy.protocol == Protocol(epochs=3, batch=64, learning_rate=0.02)
    random = found["mine/five-ipc2/random"]
    assert (random.settings, random.iterations, random.validate_at) == ((), 0, ())  # neither settings nor a curve for what is chosen
    assert found["mine/five-ipc2/dm"].protocol == Protocol(epochs=7, batch=64, learning_rate=0.02)
    other = found["mine/digits-ipc1/vgg11/seed0"]
    assert (other.run, other.protocol.network, other.protocol.epochs) == ("mine/digits-ipc1/dm/seed0", "vgg11", 3)


def test_what_is_left_out_is_as_in_the_commands(tmp_path: Path) -> None:
    (cell,) = cells(read(tmp_path, "data: digits\nmethods: dm+iid\n")).values()
    assert cell == Cell("mine/dm+iid", "mine/dm+iid", "digits", "dm+iid", 10, 0, 2000, by_size=True)


MISTAKES = {
    "method: dm": "unknown key 'method'. Did you mean 'methods'?",
    "methods: [{methd: dm}]": "unknown key of methods[0] 'methd'. Did you mean 'method'?",
    "settings: {lr: 3}": "unknown setting of dm 'lr'. Did you mean 'learning_rate'?",
    "protocol: {wd: 3}": "unknown key of protocol 'wd'. Did you mean 'weight_decay'?",
    "compare: [randm]": "unknown value of compare[0]: 'randm'. Did you mean 'random'?",
    "itrations: 3": "unknown key 'itrations'. Did you mean 'iterations'?",
    "iterations: many": "iterations must be a whole number, got 'many'",
    "iterations: 2.0": "iterations must be a whole number, got 2.0",
    "iterations: yes": "iterations must be a whole number, got True",
    "iterations: 0": "iterations must be greater than or equal to 1, got 0",
    "ipc: []": "ipc must be a list of at least one, got []",
    "ipc: [1, 1]": "has the data set and IPC 'digits-ipc1' twice",
    "seeds: [0, 0]": "at least one seed on digits, each once, got [0, 0]",
    "seeds: [1.5, x]": "seeds[0] must be a whole number, got 1.5",
    "protocol: {netwrk: vgg11}": "unknown key of protocol 'netwrk'. Did you mean 'network'?",
    "protocol: {network: vgg1}": "protocol: unknown network 'vgg1'. Did you mean 'vgg11'?",
    "protocol: {learning_rate: 1e-3}": "protocol.learning_rate must be a number, got '1e-3' (YAML takes 1e-3 for text: write 1.0e-3)",
    "protocol: vgg11": "unknown protocol 'vgg11'. Known: dc, idc, dd.",
    "settings: {real_bath: 3}": "unknown setting of dm 'real_bath'. Did you mean 'real_batch'?",
    "settings: [real_batch=2, 3]": "settings[1] must be text, got 3",
    "split: train": "unknown value of split: 'train'. Known: test, validation.",
    "preset: papper": "unknown preset 'papper'. Did you mean 'paper'?",
    "compare: nothing": "unknown value of compare[0]: 'nothing'. Did you mean 'rendering'? Known: rendering, random.",
    "validate_at: [3000]": "validate_at has 3000, but dm on digits has 2000 iterations",
    "compile: maybe": "compile must be true or false, got 'maybe'",
    "iterations: 5\niterations: 6": "line 4 has the key 'iterations' again",
    "data: digts": "unknown data set 'digts'. Did you mean 'digits'?",
    "data: [digits, digits]": "has the data set and IPC 'digits-ipc10' twice: give one of them another label",
    "data: [{data: digits, iteration: 3}]": "unknown key of data[0] 'iteration'. Did you mean 'iterations'?",
    "data: []": "data must be a list of at least one, got []",
    "data: 2020-01-01": "data[0] must be a mapping of keys to values, got '2020-01-01'",
    "methods: [dm, dm]": "has the row 'dm' twice: give one of them another label",
    "methods: [dm, {method: dm+iidd}]": "unknown term 'iidd'. Did you mean 'iid'?",
    "methods: [dm, {label: x}]": "methods[1] lacks the key 'method'",
    "methods: [dm, 3]": "methods[1] must be a mapping of keys to values, got 3",
    "methods: [{method: dm, label: ../x}]": "'../x' cannot be the name of a row",
    "methods: [{method: dm, label: .}]": "'.' cannot be the name of a row",
    "methods: [{method: dm, published: lots}]": "methods[0].published: should be a number, or numbers by data set and IPC",
    "methods: [{method: dm, published: {cifar10: {10: 1}}}]": "dm on cifar10 at IPC 10, but the table has no such cell",
    "methods: [{method: dm, of: dx}]": "mine has no row 'dx' on digits at IPC 10 with seed 0 to evaluate",
    "methods: [{method: dm, of: dm}]": "mine/dm has no set of its own",
    "methods: [{method: dm, of: x/dm}]": "unknown experiment 'x'",
    "methods: [{method: random, settings: [real_batch=2]}]": "random has no settings, but got real_batch=2",
    "methods: [{method: dm, network: vgg1}]": "unknown network 'vgg1'",
    "methods: [dm": "is not YAML (line ",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line_that_names_the_file_and_the_key(
    mistake: str, working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = {"data": "data: digits\n", "methods": "methods: dm\n"}
    text = "".join(line for key, line in usual.items() if not mistake.startswith(key))
    Path("mine.yaml").write_text(f"{text}{mistake}\n")
    with pytest.raises(SystemExit) as stopped:
        main(["experiment", "mine.yaml"])
    (line,) = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert line.startswith("datastill: mine.yaml: ")
    assert MISTAKES[mistake] in line
    assert [path.name for path in working_folder.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mine.yaml", "", "expected keys with values, such as data: digits, got None"),
        ("mine.yaml", "hello", "expected keys with values, such as data: digits, got 'hello'"),
        ("mine.yaml", "methods: dm", "the file lacks the key 'data'"),
        ("selection.yaml", FULL, "has the name of a built-in experiment"),
    ],
)
def test_what_is_no_experiment_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        read(tmp_path, text, name)
    with pytest.raises(UserError, match="there is no such file"):
        read_experiment(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"title: \xff")
    with pytest.raises(UserError, match="cannot be read"):
        read_experiment(tmp_path / "latin.yaml")


def test_the_example_of_the_documentation_runs_and_is_continued(
    working_folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[2] / "docs" / "experiments.md").read_text(), flags=re.DOTALL)
    Path("constraints.yaml").write_text(example)
    main(["experiment", "constraints.yaml", "--only", "random"])
    main(["experiment", "constraints.yaml"])
    assert capsys.readouterr().out == "results in results/constraints\n" * 2
    assert "left out: constraints/digits-0-2-ipc1/heavier/seed0, constraints/digits-0-2-ipc1/heavier/seed1 (the term 'cm'" in caplog.text
    with Path("results/constraints/table.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["method"], line["ipc"], line["n"], line["sets"], line["epochs"]) for line in lines] == [
        (method, ipc, "2", "2", "10")
        for ipc, methods in (("1", ("random", "dm")), ("2", ("random", "dm", "heavier")))
        for method in methods
    ]
    assert [line["terms"] for line in lines][-1] == "mm weight=1.0; cm weight=0.02"
    page = Path("results/constraints/README.md").read_text()
    assert page.startswith(
        "# DM with and without covariance matching, three digits (10 of 12 cells)\n\nNot run: `digits-0-2-ipc1/heavier/seed0`"
    )
    assert "far too small" in page
    Path("results/constraints/README.md").unlink()
    Path("constraints.yaml").unlink()
    main(["experiment", "--redraw"])  # from the copy beside the results
    assert Path("results/constraints/README.md").read_text() == page
    assert "[DM with and without covariance matching, three digits](constraints/README.md)" in Path("results/README.md").read_text()
    Path("results/constraints/constraints.yaml").write_text(example.replace("real_batch: 16", "real_batch: 17"))
    with pytest.raises(SystemExit):
        main(["experiment", "results/constraints/constraints.yaml"])
    assert "another specification (settings was ('real_batch=16',), is ('real_batch=17',))" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        b"title: " + b"[" * 100_000,
        b"{a: " * 5_000,
        b"title: &a [x, x]\nmethods: [*a, *a]\n",
        b"\xff\xfe\x00",
        b"title: 2001-99-99\n",
        b"title: x\nipc: " + b"9" * 5_000,
    ],
)
def test_what_no_reader_expects_is_refused_in_a_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_experiment(tmp_path / "mine.yaml")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("mine.yaml", "e.json"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match="it is a named pipe, not a file"):
        read_experiment(tmp_path / "mine.yaml")
    with pytest.raises(UserError, match="it is a named pipe, not a file"):
        read_sealed(tmp_path / "e.json")
