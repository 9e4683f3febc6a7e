"""How data sets, distilled sets and evaluations are shown at a prompt and in a notebook: short, and never with other people's markup."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from datastill import DistilledSet, load
from datastill.data import ClassImages, DataSet
from datastill.evaluation import Evaluation, Protocol, Score
from tiny_sets import data_set, distilled_set, soft_set

HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\n'\"&\ud800"
TAGS = {"p", "br", "table", "tr", "th", "td", "img"}


class Page(HTMLParser):
    """The tags, the text and the pictures of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.pictures: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert {name for name, _ in attrs} <= {"style", "src"}
        if source := dict(attrs).get("src"):
            content = base64.b64decode(source.removeprefix("data:image/png;base64,"))
            self.pictures.append(np.asarray(Image.open(io.BytesIO(content))))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def evaluation(accuracies: tuple[float, ...] = (80.0, 82.0), **changes: object) -> Evaluation:
    confusion = torch.eye(3, dtype=torch.int64)
    scores = {"rendering": Score((70.0, 71.0), confusion), "random": Score((60.0, 62.0), confusion)}
    made = Evaluation(Score(accuracies, confusion), scores, Protocol(), "test", 0, "digits", ("a", "b", "c"), images=6, trained_on=6)
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def test_each_says_what_it_is_in_a_line() -> None:
    data = data_set()
    assert repr(data) == "<tiny: 15 train, 30 validation, 45 test images of 3 classes, 3x8x6>"
    assert repr(data.test) == "<45 images of 3 classes, 3x8x6>"
    assert repr(distilled_set()) == "<cifar10 by dm+iid: 6 synthetic images of 3 classes, 3x8x6, hard labels>"
    parts = distilled_set(size=(8, 8), factor=2)
    assert repr(parts) == "<cifar10 by dm+iid: 6 synthetic images in 24 parts of 3 classes, 3x8x8, hard labels>"
    chosen = replace(distilled_set(), origin=replace(distilled_set().origin, method="herding"))
    assert "6 real images" in repr(chosen)
    assert repr(soft_set()).endswith("soft labels>")
    assert repr(Score((80.0, 82.0), torch.eye(2))) == "<81.00 +- 1.00 % top-1, n = 2>"
    assert repr(Score((80.0,), torch.eye(2))) == "<80.00 % top-1, n = 1>"
    assert repr(evaluation()) == (
        "<6 images, hard labels, tested on digits, test split, with convnet: 81.00 +- 1.00 % top-1, n = 2; "
        "rendering 70.50 +- 0.50 % top-1, n = 2; random 61.00 +- 1.00 % top-1, n = 2>"
    )


def test_a_split_that_is_empty_is_left_out() -> None:
    data = load("digits", validation=0)
    assert repr(data).splitlines()[0] == "<digits: 1438 train, 359 test images of 10 classes, 1x8x8"


def test_a_data_set_says_what_was_chosen_for_it() -> None:
    data = load("digits[0-3]")
    test = "digits has no test split: 20% of every class is held out as one"
    validation = "digits: 10% of the training images of every class are held out as validation split"
    assert data.notes == (test, validation)
    assert repr(data).splitlines()[1:] == [f"  {test}", f"  {validation}>"]
    assert {test, validation} <= set(Page(data._repr_html_()).text)
    assert load("digits", validation=0).notes == (test,)


def test_a_notebook_shows_the_images_of_every_class() -> None:
    whole = distilled_set()
    page = Page(whole._repr_html_())
    assert set(page.tags) <= TAGS
    assert [text for text in page.text if text in whole.origin.class_names] == ["cat", "dog", "ship"]
    for number, picture in enumerate(page.pictures):
        for column, row in enumerate(whole.rows_by_class()[number]):
            assert np.array_equal(picture[:, 7 * column : 7 * column + 6], whole.pixels[row].permute(1, 2, 0).numpy())
    assert len(page.pictures) == 3
    gray = Page(load("digits")._repr_html_())
    assert len(gray.pictures) == 10
    assert np.array_equal(gray.pictures[3][:, :8, 1], load("digits").train.images[load("digits").train.offsets[3]][0].numpy())


def test_large_sets_are_shown_in_part() -> None:
    names = tuple(f"class {number}" for number in range(1000))
    pixels = torch.zeros(1000, 1, 4, 4, dtype=torch.uint8)
    split = ClassImages(pixels, torch.arange(1000), (1,) * 1000)
    data = DataSet("many", split, split, split, names, (0.5,), (0.5,), True, "0" * 16)
    whole = replace(
        distilled_set(channels=1), images=torch.zeros(1000, 1, 4, 4), labels=torch.arange(1000),
        origin=replace(distilled_set(channels=1).origin, class_names=names),
    )  # fmt: skip
    for page in (data._repr_html_(), whole._repr_html_()):
        assert "and 980 more classes" in page
        assert len(page) < 20_000


@pytest.mark.parametrize("page", ["data", "set", "evaluation"])
def test_names_of_others_are_text(page: str) -> None:
    origin = replace(distilled_set().origin, data=HOSTILE, method=HOSTILE, class_names=(HOSTILE, "b", "c"))
    kinds: dict[str, DataSet | DistilledSet | Evaluation] = {
        "data": replace(data_set(), name=HOSTILE, notes=(HOSTILE,), class_names=(HOSTILE, "b", "c")),
        "set": replace(distilled_set(), origin=origin),
        "evaluation": evaluation(data=HOSTILE),
    }
    shown = kinds[page]
    content = shown._repr_html_()
    assert set(Page(content).tags) <= TAGS
    assert "onerror=alert(1)" in "".join(Page(content).text)
    assert all(letter.isprintable() for letter in content)
    assert repr(shown).replace("\n  ", "").isprintable()  # a line for each note


def test_an_evaluation_is_a_table_in_a_notebook() -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", evaluation()._repr_html_())
    cells = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in rows]
    assert cells == [
        ["trained on", "accuracy %", "std", "n"],
        ["the distilled set", "81.00", "1.00", "2"],
        ["the 8-bit rendering of the set", "70.50", "0.50", "2"],
        ["a random real subset of the same size", "61.00", "1.00", "2"],
    ]


@pytest.mark.parametrize(("accuracies", "wins"), [((60.0, 61.0), False), ((80.0, 82.0), True)])
def test_soft_labels_are_never_compared_with_hard_ones_in_silence(accuracies: tuple[float, ...], wins: bool) -> None:
    soft = evaluation(accuracies, label_kind="logits", learned_rate=0.1)
    if not wins:
        assert (
            "this set, with soft labels, is not better than a random subset of real images with hard labels (60.50% against 61.00%)"
            in soft.advice
        )
    assert soft.describe()["labels"] == "soft"
    assert {name: entry["labels"] for name, entry in soft.describe()["comparisons"].items()} == {"rendering": "soft", "random": "hard"}
    assert "a random real subset of the same size, hard labels, learning rate 0.01" in soft._repr_html_()
    hard = evaluation(accuracies)
    assert "labels" not in hard.advice
    assert {entry["labels"] for entry in hard.describe()["comparisons"].values()} == {"hard"}
