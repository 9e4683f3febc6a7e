"""Which folders, files and splits are distilled and tested on: stated, chosen, or refused with both readings."""

from __future__ import annotations

import logging
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from datastill.data import load
from datastill.errors import UserError
from image_files import encoded, pixels, write_classes, write_image, write_parquet

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def images(count: int, first: int = 0) -> list[bytes | None]:
    return [encoded(pixels(first + number)) for number in range(count)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)


def two(root: str, train: str, test: str) -> None:
    write_classes(Path(root, train), {"cat": 5, "dog": 5})
    write_classes(Path(root, test), {"cat": 2, "dog": 3}, first_seed=50)


@pytest.mark.parametrize(
    ("train", "test"),
    [("Training", "Testing"), ("train", "eval"), ("training", "evaluation"), ("train", "dev"), ("train2017", "val2017"), ("TRAIN", "TEST")],
)
def test_folders_by_these_names_are_splits_and_it_is_said(train: str, test: str, caplog: pytest.LogCaptureFixture) -> None:
    two("photos", train, test)
    data = load("folder:photos", validation=0)
    assert (data.class_names, data.train.counts, data.test.counts) == (("cat", "dog"), (5, 5), (2, 3))
    assert (f"{train} is distilled, and {test} is the test split" in caplog.text) == (train != "TRAIN")  # the usual names need no word
    assert data.notes == (f"folder:photos: {train} is distilled, and {test} is the test split",)
    assert load("folder:photos", validation=0, train_split=train, test_split=test).notes == data.notes


def test_what_is_said_of_one_data_set_is_no_note_of_another() -> None:
    two("photos", "train", "dev")
    assert any("dev is the test split" in note for note in load("folder:photos").notes)
    assert not any("photos" in note for note in load("digits").notes)
    with pytest.raises(UserError):
        load("folder:photos", classes="cat,horse")
    assert not any("photos" in note for note in load("digits").notes)


def test_everything_that_is_told_is_noted_in_the_same_words(caplog: pytest.LogCaptureFixture) -> None:
    two("photos", "train", "dev")
    Path("photos/train/cat/notes.txt").write_text("")
    write_image(Path("photos/train/loose.png"), pixels(99))
    data = load("folder:photos", classes="cat,dog")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) >= 3
    assert [note for note in data.notes if note in told] == told


def test_a_folder_beside_train_that_may_be_its_test_split_is_asked_about() -> None:
    two("photos", "train", "hospital2")
    both = "holds train and hospital2: `test_split=hospital2` tests on that part, `test_split=none` holds out a part of train"
    with pytest.raises(UserError, match=both):
        load("folder:photos")
    assert load("folder:photos", test_split="hospital2", validation=0).test.counts == (2, 3)
    held_out = load("folder:photos", test_split="none", validation=0)
    assert (held_out.train.counts, held_out.test.counts) == ((4, 4), (1, 1))


def test_folders_that_hold_the_same_folders_may_be_splits(caplog: pytest.LogCaptureFixture) -> None:
    two("photos", "north", "south")
    assert load("folder:photos").class_names == ("north", "south")
    assert "north, south are read as classes, although all of them hold folders called cat, dog" in caplog.text
    data = load("folder:photos", train_split="north", test_split="south", validation=0)
    assert (data.class_names, data.train.counts, data.test.counts) == (("cat", "dog"), (5, 5), (2, 3))


def test_one_folder_in_every_class_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    write_classes(Path("photos"), {"cat/images": 5, "dog/images": 5})
    assert load("folder:photos").class_names == ("cat", "dog")
    assert "are read as classes" not in caplog.text


def test_the_split_that_is_ignored_is_named_and_can_be_chosen(caplog: pytest.LogCaptureFixture) -> None:
    two("photos", "train", "test")
    write_classes(Path("photos", "val"), {"cat": 1, "dog": 1})
    assert load("folder:photos", validation=0).test.counts == (2, 3)
    assert "val is ignored" in caplog.text
    assert load("folder:photos", test_split="val", validation=0).test.counts == (1, 1)


@pytest.mark.parametrize("argument", ["train_split", "test_split"])
def test_a_split_that_is_not_there_is_refused_with_those_that_are(argument: str) -> None:
    two("photos", "train", "test")
    write_parquet(Path("table/train.parquet"), images(6), [0, 1] * 3)
    write_parquet(Path("table/test.parquet"), images(2), [0, 1])
    for name in ("folder:photos", "parquet:table"):
        with pytest.raises(UserError, match=rf"unknown `{argument}` of .*'tset'.*test"):
            load(name, **{argument: "tset"})  # type: ignore[arg-type]


def test_files_of_another_split_are_not_merged_with_train(caplog: pytest.LogCaptureFixture) -> None:
    write_parquet(Path("table/train-00000-of-00001.parquet"), images(12), [0, 1] * 6)
    write_parquet(Path("table/train_small-00000-of-00001.parquet"), images(6, 30), [0, 1] * 3)
    data = load("parquet:table", validation=0)
    assert len(data.train) + len(data.test) == 12
    assert "train_small is ignored" in caplog.text
    small = load("parquet:table", train_split="train_small", validation=0)
    assert len(small.train) + len(small.test) == 6
    Path("table/train-00000-of-00001.parquet").rename("table/train_big-0.parquet")
    with pytest.raises(UserError, match=r"train_big and train_small: `train_split=train_big` .*, `train_split=train_small`"):
        load("parquet:table")


@pytest.mark.parametrize(
    "names",
    [
        ("train-00000-of-00002.parquet", "train-00001-of-00002.parquet"),
        ("train-00000-of-00002-b4af1727fb5b132e.parquet", "train-00001-of-00002-0123456789abcdef.parquet"),
        ("train0.parquet", "train1.parquet"),
        ("train_0.parquet", "train_1.parquet"),
        ("train/0000.parquet", "train/0001.parquet"),
        ("train/part-a.parquet", "train/part-b.parquet"),
        ("default/train/0000.parquet", "default/train/0001.parquet"),
        ("data/pets-train-0.parquet", "data/pets-train-1.parquet"),
    ],
)
def test_files_of_one_split_are_put_together(names: tuple[str, str], caplog: pytest.LogCaptureFixture) -> None:
    for number, name in enumerate(names):
        write_parquet(Path("table", name), images(6, 10 * number), [0, 1] * 3)
    data = load("parquet:table", validation=0)
    assert len(data.train) + len(data.test) == 12
    assert "parts of one split" not in caplog.text


def test_files_that_are_missing_or_may_not_belong_together_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    write_parquet(Path("some/train-00000-of-00003.parquet"), images(12), [0, 1] * 6)
    load("parquet:some")
    assert "1 of 3 files of train are there, and only they are read" in caplog.text
    for year in (2014, 2017):
        write_parquet(Path(f"years/train-{year}.parquet"), images(12), [0, 1] * 6)
    load("parquet:years")
    assert "train-2014.parquet, train-2017.parquet are read as parts of one split" in caplog.text


def test_a_link_to_a_folder_of_images_is_followed_unless_it_leads_back() -> None:
    write_classes(Path("elsewhere"), {"more": 20}, first_seed=40)
    write_classes(Path("photos"), {"cat": 8, "dog": 8})
    Path("photos/cat/more").symlink_to(Path("elsewhere/more").resolve())
    data = load("folder:photos", validation=0)
    assert len(data.train) + len(data.test) == 36
    for target in ("photos/dog", "photos/cat", "photos"):
        Path("photos/cat/again").symlink_to(Path(target).resolve())
        with pytest.raises(UserError, match="is already read, so its images would count twice: remove the link"):
            load("folder:photos")
        Path("photos/cat/again").unlink()


def test_what_is_left_out_of_a_folder_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    write_classes(Path("photos"), {"cat": 4, "dog": 4})
    Image.fromarray(pixels(9)).save("photos/cat/9.jp2")
    for name in ("a.heic", "b.heic", "notes.txt", "README"):
        Path("photos/dog", name).write_bytes(b"x")
    write_image(Path("photos/loose.png"), pixels(3))
    for junk in ("__MACOSX/cat", "dog/@eaDir"):
        write_image(Path("photos", junk, "0.png"), pixels(4))
    data = load("folder:photos", validation=0)
    assert len(data.train) + len(data.test) == 9  # the JPEG 2000 is read
    assert "leaving out 4 files without an ending of images: .heic (2), .txt (1), no ending (1)" in caplog.text
    assert "leaving out 1 image in no class folder, such as loose.png" in caplog.text


def test_two_levels_too_deep_lead_two_levels_down() -> None:
    write_classes(Path("archive/data/photos"), {"cat": 4, "dog": 4})
    with pytest.raises(
        UserError, match=r"one folder only, data/photos/, which holds 2: cat, dog; did you mean folder:archive/data/photos\?"
    ):
        load("folder:archive")


def test_one_level_too_deep_leads_one_level_down() -> None:
    write_classes(Path("photos/photos"), {"cat": 4, "dog": 4})
    with pytest.raises(UserError, match=r"one folder only, photos/, which holds 2: cat, dog; did you mean folder:photos/photos\?"):
        load("folder:photos")
    assert load("folder:photos/photos").class_names == ("cat", "dog")


def test_a_path_that_ends_like_a_size_is_a_path_if_it_is_there(caplog: pytest.LogCaptureFixture) -> None:
    write_classes(Path("set@64"), {"cat": 4, "dog": 4})
    assert load("folder:set@64").size == (8, 8)
    assert load("folder:set@64@16x12").size == (16, 12)
    assert "resized" not in caplog.text
    write_classes(Path("set"), {"cat": 4, "eel": 4})
    assert load("folder:set@64").size == (64, 64)
    assert (
        "folder:set@64 is set resized to 64x64; set@64 is there too, and read if a size follows its name: folder:set@64@64" in caplog.text
    )
    assert load("folder:set@64@64").class_names == ("cat", "dog")


def test_names_that_look_the_same_are_one_class_across_splits_and_refused_within() -> None:
    write_classes(Path("photos/train"), {NFC: 4, "dog": 4})
    write_classes(Path("photos/test"), {NFD: 2, "dog": 1})
    data = load("folder:photos", validation=0)
    assert data.class_names[data.test.counts.index(2)] == NFC
    write_classes(Path("photos/train"), {NFD: 4})
    with pytest.raises(UserError, match=r"two classes look the same, 'cafe\\u0301' and 'caf\\xe9'"):
        load("folder:photos")
    write_parquet(Path("table/train.parquet"), images(6), [NFC, "dog"] * 3)
    write_parquet(Path("table/test.parquet"), images(2), [NFD, "dog"])
    assert load("parquet:table", validation=0).test.counts == (1, 1)
    write_parquet(Path("table/train.parquet"), images(6), [NFC, NFD] * 3)
    with pytest.raises(UserError, match="two classes look the same"):
        load("parquet:table")


def test_names_that_nearly_look_the_same_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    write_parquet(Path("table/train.parquet"), images(6), ["cat", "Cat "] * 3)
    assert load("parquet:table").class_names == ("Cat ", "cat")
    assert "'Cat ' and 'cat' are read as two classes" in caplog.text


def test_only_the_classes_that_were_asked_for_are_read() -> None:
    """A class that cannot be read is no obstacle where it was not asked for."""
    write_classes(Path("photos/train"), {"cat": 5, "dog": 6, "eel": 1})
    write_classes(Path("photos/test"), {"cat": 1, "dog": 2, "fox": 3})
    Path("photos/train/eel/0.png").write_bytes(b"junk")
    for classes in ("dog,cat", ["dog", "cat"], [1, 0]):
        data = load("folder:photos", classes=classes, validation=0)
        assert (data.class_names, data.train.counts, data.test.counts) == (("dog", "cat"), (6, 5), (2, 1))
    assert load(data.name, validation=0).fingerprint == data.fingerprint
    with pytest.raises(UserError, match=r"unknown class of folder:photos: 'bird'\. Known: cat, dog, eel"):
        load("folder:photos", classes="cat,bird")
    with pytest.raises(UserError, match=r"classes that .*train lacks: fox; choose the `classes` that both have"):
        load("folder:photos")


def test_classes_of_a_published_set_are_the_same_as_brackets() -> None:
    chosen, brackets = load("digits", classes="7,2"), load("digits[7,2]")
    assert (chosen.name, chosen.fingerprint) == (brackets.name, brackets.fingerprint)
    with pytest.raises(UserError, match="'digits' takes no `test_split`, because its layout is known; it takes classes"):
        load("digits", test_split="none")


def test_a_home_folder_that_is_not_known_is_one_line() -> None:
    with pytest.raises(UserError, match=r"folder:~nosuchuser/x.*the home folder of that user is not known"):
        load("folder:~nosuchuser/x")


def test_a_thousand_classes_and_sides_of_48_and_64() -> None:
    for number in range(1000):
        for image in range(2):
            write_image(Path(f"many/{number:04d}/{image}.png"), pixels(number % 7, 4, 4, 1))
    assert load("folder:many", validation=0).classes == 1000
    write_classes(Path("wide"), {"cat": 4, "dog": 4})
    assert load("folder:wide@48x64").size == (48, 64)
    assert load("folder:wide@224").size == (224, 224)
