"""A split as a folder: the right images, and a manifest from which everyone can tell what was held out."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from markdown_it import MarkdownIt
from PIL import Image
from torchvision.datasets import ImageFolder

from datastill import UserError, distill, export, load
from datastill.data import ClassImages, DataSet
from processes import run
from tiny_sets import distilled_set


def photos(folder: Path, *parts: str, count: int = 8) -> Path:
    """A folder of images of one grey each, of which the name says which one."""
    for part in parts or (".",):
        for number, name in enumerate(("cat", "dog")):
            (folder / part / name).mkdir(parents=True)
            for place in range(count):
                grey = 100 * number + 10 * place + len(part)
                Image.fromarray(np.full((8, 8), grey, dtype=np.uint8)).save(folder / part / name / f"{place} of {grey}.png")
    return folder


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("parts", [(), ("train", "test")], ids=["one folder", "train and test"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_the_manifest_names_the_file_of_every_image_and_its_split(tmp_path: Path, parts: tuple[str, ...], split: str) -> None:
    data = load(f"folder:{photos(tmp_path / 'photos', *parts)}")
    folder = export(data, tmp_path / "held-out", split=split)
    lines = manifest(folder)
    assert sorted(line["source"] for line in lines) == sorted(
        str(path.relative_to(tmp_path / "photos")) for path in (tmp_path / "photos").rglob("*.png")
    )
    for name in ("train", "validation", "test"):
        mine = [line for line in lines if line["split"] == name]
        assert [line["class"] for line in mine] == [data.class_names[label] for label in data.split(name).labels]
        for line, pixels in zip(mine, data.split(name).images, strict=True):
            assert Path(line["source"]).stem.endswith(f" of {int(pixels[0, 0, 0])}")
            assert bool(line["file"]) == (name == split)
            if line["file"]:
                assert np.array_equal(np.asarray(Image.open(folder / line["file"])), pixels[0].numpy())
                assert np.array_equal(np.asarray(Image.open(tmp_path / "photos" / line["source"])), pixels[0].numpy())


def test_an_image_folder_reads_it_in_the_order_of_the_classes(tmp_path: Path) -> None:
    data = load("digits")
    folder = export(data, tmp_path / "test", "folder", split="test")
    read = ImageFolder(str(folder))
    assert [label for _, label in read.samples] == data.test.labels.tolist()
    pixels = torch.stack([torch.from_numpy(np.array(image))[None, :, :, 0] for image, _ in read])
    assert torch.equal(pixels, data.test.images)
    assert json.loads((folder / "normalisation.json").read_text()) == {"mean": list(data.mean), "std": list(data.std)}


def test_what_has_no_name_goes_by_its_number(tmp_path: Path, tiny: DataSet) -> None:
    """scikit-learn's digits are numbered, and every one of the 1,797 is in one split."""
    from sklearn.datasets import load_digits

    data, bunch = load("digits"), load_digits()
    lines = manifest(export(data, tmp_path / "test", split="test"))
    assert sorted(int(line["source"].removeprefix("train ")) for line in lines) == list(range(1797))
    for line in lines[::100]:
        assert data.class_names[bunch.target[int(line["source"].removeprefix("train "))]] == line["class"]
    assert len(manifest(export(tiny, tmp_path / "tiny", split="test"))) == 3 * (12 + 2 + 4)


def test_some_classes_keep_the_names_of_their_images(tmp_path: Path) -> None:
    data = load(f"folder:{photos(tmp_path / 'photos')}").only([1, 0])
    lines = manifest(export(data, tmp_path / "held-out", split="test"))
    assert {(line["class"], line["source"].split("/")[0]) for line in lines} == {("cat", "cat"), ("dog", "dog")}


def test_what_was_skipped_is_in_the_manifest(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos")
    (source / "cat" / "broken.png").write_bytes(b"no image")
    lines = manifest(export(load(f"folder:{source}", skip_broken=True), tmp_path / "held-out", split="test"))
    assert [line["source"] for line in lines if line["split"] == "skipped"] == ["cat/broken.png"]
    assert len(lines) == 17


def test_rows_of_parquet_are_named_and_the_place_of_the_files_is_private(tmp_path: Path) -> None:
    folder = distilled_set(ipc=10).save(tmp_path / "secret place" / "set")
    exported = export(load(f"parquet:{folder}"), tmp_path / "held-out", split="test")
    assert len(manifest(exported)) == 30
    assert all("row " in line["source"] and ".parquet" in line["source"] for line in manifest(exported))
    assert "secret" not in (exported / "manifest.csv").read_text() + (exported / "README.md").read_text()


def test_the_command_exports_the_split_of_a_run_and_of_a_data_set(tmp_path: Path) -> None:
    source = photos(tmp_path / "photos")
    distill(f"folder:{source}", method="random", ipc=1, out=tmp_path / "run")
    expected = manifest(export(load(f"folder:{source}"), tmp_path / "expected", split="test"))
    for number, path in enumerate((str(tmp_path / "run"), f"folder:{source}")):
        assert run("export", path, tmp_path / f"{number}", "--split", "test").out == f"wrote {tmp_path / str(number)}\n"
        assert manifest(tmp_path / f"{number}") == expected
    shutil.rmtree(source / "cat")
    refused = run("export", path, tmp_path / "2", "--split", "test")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(tmp_path: Path, tiny: DataSet) -> None:
    lacking = ClassImages(tiny.test.storage, tiny.test.rows[:8], (4, 4, 0))
    cases: list[tuple[object, dict[str, str], str]] = [
        (tiny, {}, "`split` says which part of a data set"),
        (distilled_set(), {"split": "test"}, "a distilled set has no splits"),
        (tiny, {"split": "testing"}, "has no 'testing' split"),
        (tiny, {"split": "test", "format": "dc"}, "exported as a folder of images, not with `format=dc`"),
        (replace(tiny, test=lacking), {"split": "test"}, "has no image of the class 'right'"),
    ]
    for what, options, message in cases:
        with pytest.raises(UserError, match=message):
            export(what, tmp_path / "out", **options)  # type: ignore[arg-type]
        assert not list(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="already exists"):
        export(tiny, tmp_path / "out", split="test")


def test_names_are_not_markup_and_need_no_encoding(tmp_path: Path, tiny: DataSet) -> None:
    names = ("<b>left</b>", "a|b\n---", "K\udce4se")
    folder = export(replace(tiny, class_names=names, name="folder:x/<i>y"), tmp_path / "out", split="test")
    page = (folder / "README.md").read_text()
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(page)
    inside = [child for token in tokens for child in token.children or ()]
    assert not [token for token in [*tokens, *inside] if token.type.startswith("html")]
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1"]
    assert {line["class"] for line in manifest(folder)} == {"<b>left</b>", "a|b\n---", "K\\udce4se"}
