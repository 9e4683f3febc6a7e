from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datastill.data import load, published
from datastill.data.parquet import read
from datastill.errors import UserError
from image_files import encoded, pixels, write_parquet

IMAGES: list[bytes | None] = [encoded(pixels(seed)) for seed in range(6)]


def test_several_shards_keep_rows_labels_and_names(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-00000-of-00002.parquet", IMAGES[:2], [1, 0], names=["cat", "dog"])
    write_parquet(tmp_path / "train-00001-of-00002.parquet", IMAGES[2:5], [0, 1, 0], names=["cat", "dog"])
    write_parquet(tmp_path / "test-00000-of-00001.parquet", IMAGES[5:], [1], names=["cat", "dog"])
    raw = read(tmp_path, None)
    assert raw.class_names == ("cat", "dog")
    assert raw.train.labels.tolist() == [1, 0, 0, 1, 0]
    assert raw.test is not None
    assert raw.test.labels.tolist() == [1]
    found = np.concatenate(list(raw.train.blocks()))
    assert np.array_equal(found, np.stack([pixels(seed).transpose(2, 0, 1) for seed in range(5)]))
    data = load(f"parquet:{tmp_path}", validation=0)
    assert data.train.counts == (3, 2)
    assert np.array_equal(data.train.gather(data.train.labels.new_tensor([0, 3])).numpy(), found[[1, 0]])


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data/train-00000.parquet", "data/test-00000.parquet"),
        ("plain_text/train-0.parquet", "plain_text/validation-0.parquet"),
        ("train/0000.parquet", "test/0000.parquet"),
        ("cifar10-train.parquet", "cifar10-test.parquet"),
    ],
)
def test_the_hubs_ways_to_lay_out_files(tmp_path: Path, train: str, test: str) -> None:
    write_parquet(tmp_path / train, IMAGES[:4], [0, 1, 0, 1])
    write_parquet(tmp_path / test, IMAGES[4:], [0, 1])
    raw = read(tmp_path, None)
    assert len(raw.train.labels) == 4
    assert raw.test is not None
    assert len(raw.test.labels) == 2


def test_one_file_holds_a_part_of_itself_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write_parquet(tmp_path / "anything.parquet", IMAGES, [0, 1] * 3)
    data = load(f"parquet:{file}")
    assert (data.train.counts, data.validation.counts, data.test.counts) == ((1, 1), (1, 1), (1, 1))
    assert "no test split" in caplog.text


def test_class_names_as_labels_survive_a_test_split_that_lacks_a_class(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", IMAGES, ["dog", "cat", "eel", "cat", "dog", "eel"])
    write_parquet(tmp_path / "test.parquet", IMAGES[:2], ["eel", "dog"])
    raw = read(tmp_path, None)
    assert raw.class_names == ("cat", "dog", "eel")
    assert raw.train.labels.tolist() == [1, 0, 2, 0, 1, 2]
    assert raw.test is not None
    assert raw.test.labels.tolist() == [2, 1]


def test_numbers_without_names_need_not_begin_at_zero(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", IMAGES, [10, 2, 1, 1, 2, 10])
    write_parquet(tmp_path / "test.parquet", IMAGES[:1], [2])
    raw = read(tmp_path, None)
    assert raw.class_names == ("1", "2", "10")
    assert raw.train.labels.tolist() == [2, 1, 0, 0, 1, 2]
    assert raw.test is not None
    assert raw.test.labels.tolist() == [1]


def test_dictionary_labels_are_read_as_text(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "train.parquet", IMAGES, ["b", "a"] * 3)
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "label", table.column(1).dictionary_encode()), path)
    assert read(tmp_path, None).class_names == ("a", "b")


def test_fine_labels_are_the_ones_of_cifar100(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "train.parquet", IMAGES, [0, 1, 2, 0, 1, 2], label="fine_label", names=["x", "y", "z"], extra={"coarse_label": [0] * 6}
    )
    raw = read(tmp_path, None)
    assert raw.class_names == ("x", "y", "z")
    assert raw.train.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_cifar100_has_fine_labels_and_says_how_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DATASTILL_DATA", str(tmp_path))
    (tmp_path / "cifar100").mkdir()
    path = tmp_path / "cifar100" / "train.parquet"
    write_parquet(path, IMAGES, [0, 1, 2, 0, 1, 2], label="fine_label", extra={"coarse_label": [0, 1] * 3})
    assert published.read("cifar100").class_names == ("0", "1", "2")
    assert not [record for record in caplog.records if record.levelno > logging.INFO]
    caplog.set_level(logging.INFO)
    (note, *_) = load("cifar100", validation=0).notes
    assert note in caplog.text
    assert "cifar100: the column fine_label is read, not coarse_label" in note
    name, setting = re.findall(r"(parquet:\S+) with `(\S+)`", note)[0]
    argument, column = setting.split("=")
    assert load(name, validation=0, **{argument: column}).class_names == ("0", "1")
    write_parquet(path, IMAGES, [0, 1] * 3, label="label")
    assert published.read("cifar100").class_names == ("0", "1")
    assert not any("column" in note for note in load("cifar100", validation=0).notes)


def test_grayscale_stays_one_channel(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", [encoded(pixels(seed, channels=1)) for seed in range(4)], [0, 1, 0, 1])
    raw = read(tmp_path, None)
    assert raw.train.channels == 1
    assert np.array_equal(next(raw.train.blocks())[2, 0], pixels(2, channels=1))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP"])
def test_formats_may_be_mixed_within_a_split(tmp_path: Path, format: str) -> None:
    lossless = {"PNG": "PNG", "WEBP": "PNG", "BMP": "BMP"}[format]
    images = [encoded(pixels(0), "PNG"), encoded(pixels(1), lossless), encoded(pixels(2), "PNG"), encoded(pixels(3), format)]
    write_parquet(tmp_path / "train.parquet", images, [0, 1, 0, 1])
    found = next(read(tmp_path, None).train.blocks())
    assert np.array_equal(found[:3], np.stack([pixels(seed).transpose(2, 0, 1) for seed in range(3)]))


def test_a_corrupt_image_is_named_by_its_row_and_shard(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", IMAGES[:3], [0, 1, 0])
    write_parquet(tmp_path / "train-1.parquet", [IMAGES[3], b"not an image"], [1, 1])
    with pytest.raises(UserError, match=r"row 1 of .*train-1\.parquet cannot be read as an image"):
        read(tmp_path, None)


def test_a_truncated_image_is_named_when_it_is_decoded(tmp_path: Path) -> None:
    whole = encoded(pixels(9, 32, 32))
    write_parquet(tmp_path / "train.parquet", [*IMAGES[:2], whole[: len(whole) // 2]], [0, 1, 0])
    with pytest.raises(UserError, match=r"row 2 of .*train\.parquet cannot be read as an image"):
        load(f"parquet:{tmp_path}@8", validation=0)


@pytest.mark.parametrize(
    ("labels", "said"), [([0, None, 1], "found a missing label"), ([0, -1, 1], "found -1;"), (["a", None, "b"], "found a missing label")]
)
def test_a_missing_label_is_refused(tmp_path: Path, labels: list[object], said: str) -> None:
    write_parquet(tmp_path / "train.parquet", IMAGES[:3], labels)
    with pytest.raises(UserError, match=f"label column 'label' must hold .*{said}"):
        read(tmp_path, None)


def test_missing_bytes_are_named_by_their_row(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", [IMAGES[0], None], [0, 1])
    with pytest.raises(UserError, match=r"train\.parquet: row 1 has no image bytes"):
        read(tmp_path, None)


def test_classes_of_the_test_split_alone_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", IMAGES[:2], ["a", "b"])
    write_parquet(tmp_path / "test.parquet", IMAGES[:2], ["a", "zebra"])
    with pytest.raises(UserError, match=r"test\.parquet: classes that its training split or its metadata lacks: zebra"):
        read(tmp_path, None)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([], pa.struct([("bytes", pa.binary())])), "label": pa.array([], pa.int64())})
    pq.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(UserError, match="there are no images"):
        read(tmp_path, None)


def test_wrong_columns_are_listed(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "score": [0.5]}), tmp_path / "train.parquet")
    with pytest.raises(UserError, match=r"expected an image column .* found: text \(string\), score \(double\)"):
        read(tmp_path, None)


def test_a_shard_with_other_columns_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", IMAGES[:2], [0, 1])
    write_parquet(tmp_path / "train-1.parquet", IMAGES[:2], [0, 1], label="target")
    with pytest.raises(UserError, match=r"train-1\.parquet"):
        read(tmp_path, None)


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        read(tmp_path / "nowhere", None)
    with pytest.raises(UserError, match=r"expected files named train-.*found no parquet file"):
        read(tmp_path, None)
    write_parquet(tmp_path / "other.parquet", IMAGES[:2], [0, 1])
    with pytest.raises(UserError, match=r"found other\.parquet"):
        read(tmp_path, None)
    whole = write_parquet(tmp_path / "train-0.parquet", IMAGES, [0, 1] * 3)
    bad = tmp_path / "train-1.parquet"
    bad.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"train-1\.parquet: cannot be read as parquet"):
        read(tmp_path, None)


def test_two_configurations_side_by_side_are_not_mixed(tmp_path: Path) -> None:
    write_parquet(tmp_path / "small" / "train-0.parquet", IMAGES[:2], [0, 1])
    write_parquet(tmp_path / "large" / "train-0.parquet", IMAGES[:2], [0, 1])
    with pytest.raises(UserError, match=r"holds several data sets \(large, small\)"):
        read(tmp_path, None)
    assert len(read(tmp_path / "small", None).train.labels) == 2
