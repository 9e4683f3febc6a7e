"""The dataset card: what the hub reads of it, that it runs, and that names of others are never markup in it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from markdown_it import MarkdownIt

from datastill import DistilledSet, distill
from datastill.data import DataSet
from tiny_sets import distilled_set, same_bits, soft_set

HOSTILE = (
    "---",
    "a\n---\nb",
    "\n# a heading",
    "<script>alert(1)</script>",
    "[a](http://example.org)",
    "![a](http://example.org/a.png)",
    "a | b",
    "`code` and ```",
    "\x1b[2J\x07",
    "a\u2028b\u202e",
    "key: [value",
    "*a* _b_ ~~c~~",
    "\ud800",
    "",
    "null",
)


def named(text: str) -> DistilledSet:
    """A set of which every text of another's is this one."""
    whole = distilled_set((text, f"{text} ", "ship"))
    return replace(
        whole,
        origin=replace(whole.origin, data=f"folder:{text}", fingerprint=text, method=text, version=text, kind="distribution matching"),
    )


def read(card: Path) -> tuple[dict[str, Any], str]:
    """The metadata and the page of a card, taken apart as the hub's library does."""
    match = re.search(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\r|\n|$))", card.read_text())
    assert match is not None
    return yaml.safe_load(match[2]), card.read_text()[match.end() :]


def structure(page: str) -> list[str]:
    """Everything in a page but its text: headings, links, pictures, HTML, blocks and rows of tables."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    blocks = markdown.parse(page)
    inside = [child for token in blocks for child in token.children or ()]
    return [f"{token.type} {token.attrs}" for token in [*blocks, *inside] if token.type not in ("text", "code_inline", "softbreak")]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return named("plain").save(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_names_of_others_are_shown_and_are_never_markup(tmp_path: Path, plain: Path, text: str) -> None:
    named(text).save(tmp_path)
    metadata, page = read(tmp_path / "README.md")
    plain_metadata, plain_page = read(plain / "README.md")
    assert structure(page) == structure(plain_page)
    assert list(metadata) == list(plain_metadata)
    assert metadata["configs"][0]["data_files"][0]["path"].startswith("data/train-")
    names = metadata["dataset_info"]["features"][1]["dtype"]["class_label"]["names"]
    assert list(names.values()) == [
        text.encode(errors="backslashreplace").decode(),
        f"{text} ".encode(errors="backslashreplace").decode(),
        "ship",
    ]
    assert all(letter.isprintable() or letter == "\n" for letter in (tmp_path / "README.md").read_text())


def test_a_card_has_what_the_hub_asks_for(tmp_path: Path) -> None:
    distilled_set().save(tmp_path)
    metadata, _ = read(tmp_path / "README.md")
    (parquet,) = (tmp_path / "data").iterdir()
    assert metadata["license"] == "unknown"
    assert metadata["size_categories"] == ["n<1K"]
    assert metadata["task_categories"] == ["image-classification"]
    info = metadata["dataset_info"]
    assert [feature["name"] for feature in info["features"]] == ["image", "label"]
    assert info["splits"][0]["num_examples"] == 6
    assert info["download_size"] == parquet.stat().st_size
    assert metadata["configs"][0]["data_files"] == [{"split": "train", "path": f"data/{parquet.name}"}]
    assert "arXiv:2110.04181" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(("images", "category"), [(999, "n<1K"), (1000, "1K<n<10K")])
def test_the_category_of_a_size(tmp_path: Path, images: int, category: str) -> None:
    whole = distilled_set(("one",), size=(4, 4))
    many = replace(whole, images=torch.zeros(images, 3, 4, 4), labels=torch.zeros(images, dtype=torch.int64))
    many.save(tmp_path)
    assert read(tmp_path / "README.md")[0]["size_categories"] == [category]


def test_chosen_images_are_not_called_synthetic(tmp_path: Path, tiny: DataSet) -> None:
    """Of a set made today the header says so, of an earlier one its method does; of a file made by other code nobody knows."""
    chosen = distill(tiny, method="random", ipc=2)
    assert (chosen.origin.kind, chosen.origin.real) == ("selection", True)
    earlier = replace(chosen, origin=replace(chosen.origin, kind=""))
    for number, whole in enumerate((chosen, earlier)):
        metadata, page = read(whole.save(tmp_path / f"{number}") / "README.md")
        assert "synthetic" not in page.lower()
        assert not {"synthetic", "dataset-distillation"} & set(metadata["tags"])
        assert "6 real images of 3 classes" in page
        assert "chosen by `random`" in page
    learned, _ = read(distilled_set().save(tmp_path / "learned") / "README.md")
    assert "synthetic" in learned["tags"]
    other = distilled_set()
    unknown = replace(other, origin=replace(other.origin, method="unknown"))
    metadata, page = read(unknown.save(tmp_path / "unknown") / "README.md")
    assert unknown.origin.real is None
    assert "synthetic" not in f"{metadata} {page}"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("whole", [distilled_set(), soft_set()], ids=["hard", "soft"])
def test_the_lines_of_the_card_load_the_set_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: DistilledSet, hub: Any
) -> None:
    """Where it was written, moved to another name, and as the hub's library keeps downloads: links to files of other names."""
    saved = whole.save(tmp_path / "run" / "distilled")
    moved = Path(shutil.copytree(saved, tmp_path / "somewhere" / 'it"s here'))
    snapshot = tmp_path / "hub" / "snapshots" / "0123abcd"
    for path in saved.rglob("*"):
        if path.is_file():
            (snapshot / path.relative_to(saved)).parent.mkdir(parents=True, exist_ok=True)
            blob = tmp_path / "hub" / "blobs" / str(path.stat().st_ino)
            blob.parent.mkdir(exist_ok=True)
            shutil.copy(path, blob)
            (snapshot / path.relative_to(saved)).symlink_to(blob)
    for folder in (saved, moved, snapshot):
        (block,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
        monkeypatch.chdir(folder)
        names: dict[str, Any] = {}
        exec(block, names)
        assert same_bits(names["distilled"].images, whole.images)
        assert names["rendered"]["label"][:] == whole.hard_labels.tolist()
