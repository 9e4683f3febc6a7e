from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill.errors import UserError
from datastill.evaluation import Evaluation, Protocol, Score
from datastill.experiments import EXPERIMENTS
from datastill.methods import method
from datastill.report.evaluation import MOST_CLASSES, print_across, print_evaluation
from datastill.report.listing import rows
from datastill.report.method_list import entries
from datastill.report.summary import show
from tiny_sets import distilled_set, soft_set


def evaluation(class_names: tuple[str, ...], accuracies: tuple[float, ...] = (50.0, 60.0, 70.0)) -> Evaluation:
    classes = len(class_names)
    confusion = 3 * torch.eye(classes, dtype=torch.int64)
    confusion[0, 1] = 1
    score = Score(accuracies, confusion)
    return Evaluation(score, {"random": Score((10.0, 20.0, 30.0), confusion)}, Protocol(epochs=3), "test", 0, "tiny", class_names)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]) -> Callable[[Evaluation], str]:
    """Gives what is printed of an evaluation."""

    def text(result: Evaluation) -> str:
        print_evaluation(result)
        return capsys.readouterr().out

    return text


def test_scores_comparisons_and_confusion_are_printed(printed: Callable[[Evaluation], str]) -> None:
    text = printed(evaluation(("cat", "dog")))
    lines = {line.strip("│ ").split("│")[0].strip(): line for line in text.splitlines()}
    assert "tiny, test split, DC protocol: 3 x convnet, 3 epochs" in text
    assert "60.00" in lines["the distilled set"]
    assert "8.16" in lines["the distilled set"]
    assert "35.16 to 84.84" in lines["the distilled set"]  # 60 +- 4.30265 * 10 / sqrt(3)
    assert "20.00" in lines["a random real subset of the same size"]
    rows = [line.split() for line in text.splitlines() if line.split()[:1] in (["cat"], ["dog"])]
    assert rows[-2:] == [["cat", "75", "25"], ["dog", ".", "100"]]


def test_the_parts_of_a_set_are_said(capsys: pytest.CaptureFixture[str], printed: Callable[[Evaluation], str]) -> None:
    text = printed(replace(evaluation(("cat", "dog")), images=6, trained_on=24))
    assert "6 images in 24 parts" in " ".join(text.split())
    assert "parts" not in printed(replace(evaluation(("cat", "dog")), images=6, trained_on=6))
    print_across({"convnet": replace(evaluation(("cat", "dog")), images=6, trained_on=24)})
    assert "6 images in 24 parts" in " ".join(capsys.readouterr().out.split())


def test_several_kinds_of_network_are_one_table(capsys: pytest.CaptureFixture[str], terminal: Callable[[int], None]) -> None:
    print_across({"convnet": evaluation(("cat", "[/]")), "vgg11": evaluation(("cat", "[/]"), (70.0, 80.0, 90.0))})
    text = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]] for line in text.splitlines() if "│" in line}
    assert "tiny, test split, DC protocol: 3 networks of each kind, 3 epochs" in text
    assert rows == {
        "convnet": ["60.00", "8.16", "35.16 to 84.84", "20.00 +- 8.16"],
        "vgg11": ["80.00", "8.16", "55.16 to 100.00", "20.00 +- 8.16"],
    }
    assert "confusion matrices: --json" in text


def test_a_set_that_does_not_beat_a_random_subset_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str], printed: Callable[[Evaluation], str]
) -> None:
    better, worse = evaluation(("cat", "dog")), evaluation(("cat", "dog"), (10.0, 20.0, 24.0))
    assert better.advice == ""
    assert replace(worse, comparisons={}).advice == ""
    assert replace(better, comparisons={"random": better.score}).advice  # as good is not better
    expected = "this set is not better than a random subset of real images (18.00% against 20.00%): try another method"
    assert worse.advice.startswith(expected)
    assert (worse.describe()["advice"], better.describe()["advice"]) == (worse.advice, None)
    assert method("dm+cm")  # what it names is there
    assert [line for line in printed(worse).splitlines() if line.startswith(expected)] == [worse.advice]
    assert "not better" not in printed(better)
    print_across({"convnet": better, "vgg11": worse})
    told = [line for line in capsys.readouterr().out.splitlines() if "not better" in line]
    assert told == [f"vgg11: {worse.advice}"]


@pytest.mark.parametrize(
    ("made", "images", "ways"),
    [
        ({}, 0, "another method (such as dm+cm) or another number of iterations"),
        ({"method": "dm", "iterations": 3}, 4, "another method (such as dm+cm) or another number of iterations"),
        ({"method": "dm", "iterations": 3}, 2, "another method (such as idm) or another number of iterations"),
        ({"method": "idm", "iterations": 3}, 2, "another method (such as dm) or another number of iterations"),
        (
            {"method": "dm+cm", "iterations": 3},
            4,
            "another method (such as dm+iid), another number of iterations or a smaller weight of an added term",
        ),
        ({"method": "random", "iterations": 1}, 4, "another method (such as dm+cm)"),
    ],
)
def test_what_to_try_is_not_what_was_done_and_can_be_done(made: dict[str, str | int], images: int, ways: str) -> None:
    """Terms that compare images of a class need two of them, and real images are chosen in one step."""
    worse = replace(evaluation(("cat", "dog"), (10.0, 20.0, 24.0)), made=made, images=images)
    assert worse.advice.endswith(f": try {ways}")


def test_where_labels_are_scores_the_rate_of_networks_is_what_to_try_first() -> None:
    """Least squares on the features of larger images diverges at the protocol's rate."""
    worse = replace(evaluation(("cat", "dog"), (10.0, 20.0, 24.0)), label_kind="scores")
    assert "try `--set learning_rate=0.001` (least squares on scores may need a tenth of the rate), another method" in worse.advice
    followed = replace(worse, protocol=replace(worse.protocol, learning_rate=0.001))
    for other in (replace(worse, label_kind="logits"), replace(worse, learned_rate=0.01), followed):
        assert "learning_rate" not in other.advice


def test_one_network_has_no_interval(printed: Callable[[Evaluation], str]) -> None:
    text = printed(evaluation(("cat", "dog"), (50.0,)))
    assert "nan" not in text
    row = next(line for line in text.splitlines() if "the distilled set" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == ["the distilled set", "50.00", "", ""]


def test_twenty_classes_fit_a_terminal_and_more_are_left_to_the_json(
    printed: Callable[[Evaluation], str], terminal: Callable[[int], None]
) -> None:
    ten = printed(evaluation(tuple(f"class {number}" for number in range(10))))
    assert max(len(line) for line in ten.splitlines()) <= 80
    assert sum(line.split()[:1] == ["class"] for line in ten.splitlines()) >= 10
    many = printed(evaluation(tuple(str(number) for number in range(MOST_CLASSES + 1))))
    assert "confusion matrix: --json" in many
    terminal(20)
    narrow = printed(evaluation(tuple(f"class {number}" for number in range(10))))
    assert narrow.splitlines()[-2:] == ["confusion, one row per true class, in %", "too wide for this terminal: --json"]


def test_names_are_shown_and_not_obeyed(printed: Callable[[Evaluation], str]) -> None:
    text = printed(evaluation(("[red]", "[/]", "\x1b[2J")))
    assert "[red]" in text
    assert "[/]" in text
    assert "\x1b" not in text


def test_a_summary_counts_classes_and_what_eight_bits_lose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = distilled_set(("cat", "dog", "\x1b[2Jship"), ipc=2, channels=1, size=(2, 2))
    origin = replace(whole.origin, mean=(0.5,), std=(1.0,))
    images = torch.zeros(5, 1, 2, 2)
    images.view(-1)[:5] = torch.tensor([-0.51, 0.51, 1.0, -2.0, 0.5])  # black is at -0.5 and white at 0.5: 4 of 20 lie outside
    replace(whole, images=images, labels=whole.labels[:5], origin=origin).save(tmp_path / "set")
    show(tmp_path / "set", None, 10)
    text = capsys.readouterr().out
    assert "5 of 2x2 pixels, 1 channel, 3 classes, 1 to 2 per class" in text
    assert "-2.00 to 1.00, normalised; 20% of them lie outside what 8 bits hold" in text
    assert r"cat (2), dog (2), \x1b[2Jship (1)" in text
    assert "\x1b" not in text


def test_a_summary_of_many_classes_leaves_their_names_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    distilled_set(tuple(f"name{number}" for number in range(21)), ipc=1, size=(2, 2)).save(tmp_path)
    show(tmp_path, tmp_path / "out.png", 10)
    text = capsys.readouterr().out
    assert "21 classes, 1 per class" in text
    assert "name3" not in text
    assert f"picture     {tmp_path / 'out.png'}" in text


def test_a_summary_says_what_the_parts_are_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    distilled_set(size=(8, 8), factor=2).save(tmp_path / "parts")
    distilled_set(size=(8, 8)).save(tmp_path / "whole")
    show(tmp_path / "parts", None, 10)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[:3]] == ["images", "parts", "data"]
    assert lines[1][1] == "each image is a grid of 4, which are enlarged to 24 images in training"
    show(tmp_path / "whole", None, 10)
    assert "grid of" not in capsys.readouterr().out


def test_listings_are_known_by_name() -> None:
    assert [name for name, _ in rows("experiments")] == list(EXPERIMENTS)
    with pytest.raises(UserError, match=r"unknown list 'network'\. Did you mean 'networks'"):
        rows("network")


def test_every_method_is_listed_with_the_cost_of_a_step() -> None:
    found = {entry.name: entry for entry in entries()}
    amount = r"\d[\d.]* [GTP]?FLOP"
    assert all(re.fullmatch(f"{amount} (a step|in all)", entry.cost) for entry in found.values())
    assert all(re.fullmatch(f"({amount})?", entry.once) for entry in found.values())
    convnet = 2 * (27 * 128 * 32**2 + 9 * 128**2 * (16**2 + 8**2) + 2048 * 10)  # three convolutions and a linear layer
    real, synthetic = 10 * 256, 10 * 10
    assert found["dm"].cost == f"{convnet * (real + 2 * synthetic) / 1e9:.3g} GFLOP a step"
    assert found["herding"].cost == f"{convnet * 45_000 / 1e12:.3g} TFLOP in all"
    assert found["forgetting"].once == f"{30 * 3 * convnet * 45_000 / 1e12:.3g} TFLOP"
    assert found["dm"].once == ""


def test_a_set_of_soft_labels_and_a_learned_rate_is_told_from_what_it_is_compared_with(
    capsys: pytest.CaptureFixture[str], printed: Callable[[Evaluation], str], terminal: Callable[[int], None]
) -> None:
    hard = " ".join(printed(evaluation(("cat", "dog"))).split())
    assert "3 epochs, labels: hard" in hard
    assert "hard labels" not in hard
    soft = replace(evaluation(("cat", "dog")), label_kind="logits", learned_rate=0.02134)
    terminal(200)
    print_evaluation(soft)
    text = " ".join(capsys.readouterr().out.split())
    assert "3 epochs, labels: soft (logits), learned learning rate 0.02134" in text
    assert "a random real subset of the same size, hard labels, learning rate 0.01 " in text
    print_across({"convnet": soft})
    text = " ".join(capsys.readouterr().out.split())
    assert "labels: soft (logits)" in text
    assert "random, hard labels" in text


def test_a_summary_says_what_was_learned_besides_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soft_set("scores", learning_rate=0.02).save(tmp_path / "soft")
    show(tmp_path / "soft", None, 10)
    facts = {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()}
    assert facts["labels"].startswith("soft: scores, any numbers")
    assert facts["learned"] == "learning_rate 0.02"
    assert "3 classes, 2 per class" in facts["images"]
