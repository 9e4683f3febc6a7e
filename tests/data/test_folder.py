from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datastill.data import DataSet, load
from datastill.data.folder import read
from datastill.data.storage import RawSplit
from datastill.errors import UserError
from image_files import pixels, write_classes, write_image


def decoded(split: RawSplit) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(list(split.blocks())))


def whole(root: Path) -> DataSet:
    return load(f"folder:{root}", validation=0)


def test_train_and_test_folders_keep_names_order_and_pixels(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"dog": 2, "cat": 3})
    write_classes(tmp_path / "test", {"cat": 1, "dog": 1}, first_seed=20)
    data = whole(tmp_path)
    assert data.class_names == ("cat", "dog")
    assert data.train.counts == (3, 2)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1]
    expected = np.stack([pixels(seed) for seed in (2, 3, 4, 0, 1)]).transpose(0, 3, 1, 2)
    assert np.array_equal(data.train.gather(torch.arange(5)).numpy(), expected)
    assert np.array_equal(data.test.gather(torch.arange(2)).numpy(), np.stack([pixels(20), pixels(21)]).transpose(0, 3, 1, 2))


@pytest.mark.parametrize(("train", "test"), [("train", "val"), ("train", "valid"), ("Train", "Test"), ("train", "validation")])
def test_the_test_split_goes_by_several_names(tmp_path: Path, train: str, test: str) -> None:
    write_classes(tmp_path / train, {"a": 2, "b": 2})
    write_classes(tmp_path / test, {"a": 1, "b": 3})
    assert whole(tmp_path).test.counts == (1, 3)


def test_with_test_and_val_the_one_left_out_is_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_classes(tmp_path / "train", {"a": 2, "b": 2})
    write_classes(tmp_path / "test", {"a": 1, "b": 3})
    write_classes(tmp_path / "val", {"a": 5, "b": 5})
    assert whole(tmp_path).test.counts == (1, 3)
    assert "val is ignored" in caplog.text


def test_classes_may_be_called_train_and_test(tmp_path: Path) -> None:
    write_classes(tmp_path, {"bus": 5, "test": 5, "train": 5})
    assert whole(tmp_path).class_names == ("bus", "test", "train")


def test_a_test_folder_without_a_train_folder_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 4, "dog": 4})
    write_classes(tmp_path / "test", {"cat": 1, "dog": 1})
    with pytest.raises(UserError, match="test/ has no train/ beside it"):
        whole(tmp_path)


def test_hidden_and_foreign_files_are_left_out_and_folders_inside_a_class_are_read(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 2, "b": 2})
    write_classes(tmp_path / "test", {"a": 1, "b": 1})
    (tmp_path / "train" / "a" / "._0.png").write_bytes(b"a mac left this")
    (tmp_path / "train" / "a" / "notes.txt").write_text("hello")
    (tmp_path / "train" / "Thumbs.db").write_text("hello")
    for split in ("train", "test"):
        write_image(tmp_path / split / ".ipynb_checkpoints" / "0.png", pixels(7))
    write_image(tmp_path / "train" / "a" / ".hidden" / "0.png", pixels(8))
    write_image(tmp_path / "train" / "b" / "images" / "x.tar.PNG", pixels(9))
    data = whole(tmp_path)
    assert data.class_names == ("a", "b")
    assert data.train.counts == (2, 3)
    assert np.array_equal(data.train.gather(torch.tensor([4]))[0].numpy(), pixels(9).transpose(2, 0, 1))


def test_gray_images_stay_gray_and_one_coloured_makes_three_channels(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2, "b": 2}, channels=1)
    assert read(tmp_path, None).train.channels == 1
    assert np.array_equal(decoded(read(tmp_path, None).train)[0, 0].numpy(), pixels(0, channels=1))
    write_image(tmp_path / "b" / "9.png", pixels(9))
    coloured = decoded(read(tmp_path, None).train)
    assert coloured.shape == (5, 3, 8, 8)
    assert torch.equal(coloured[0, 0], coloured[0, 2])


def test_the_test_split_follows_the_training_split_in_channels_and_size(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 2, "b": 2}, channels=1)
    write_image(tmp_path / "test" / "a" / "0.png", pixels(9, 16, 16))
    raw = read(tmp_path, None)
    assert raw.test is not None
    assert decoded(raw.test).shape == (1, 1, 8, 8)


def test_sixteen_bits_are_rounded_not_clipped(tmp_path: Path) -> None:
    eight = pixels(3, channels=1)
    write_image(tmp_path / "a" / "0.png", eight.astype(np.uint16) * 257)
    write_image(tmp_path / "a" / "1.tif", eight.astype(np.uint16) * 257)
    (tmp_path / "a" / "2.pgm").write_bytes(b"P5 8 8 65535\n" + (eight.astype(">u2") * 257).tobytes())
    raw = read(tmp_path, None).train
    assert raw.channels == 1
    assert all(np.array_equal(image[0].numpy(), eight) for image in decoded(raw))


def test_32_bit_images_are_refused_by_name(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "deep.tif", pixels(0, channels=1).astype(np.float32))
    with pytest.raises(UserError, match=r"deep\.tif cannot be read as an image \(32 bits per channel"):
        decoded(read(tmp_path, None).train)


def test_transparent_pixels_show_white(tmp_path: Path) -> None:
    seen = np.zeros((8, 8, 4), dtype=np.uint8)
    seen[:4, :, 0], seen[:4, :, 3] = 200, 255
    write_image(tmp_path / "a" / "0.png", seen)
    write_image(tmp_path / "a" / "1.png", np.full((8, 8, 2), (0, 0), dtype=np.uint8))
    palette = Image.fromarray(np.tile(np.array([0, 1], dtype=np.uint8), (8, 4)))
    palette.putpalette([10, 20, 30, 1, 2, 3])
    palette.save(tmp_path / "a" / "2.png", transparency=b"\xff\x00")
    images = decoded(read(tmp_path, None).train)
    assert images[0, :, 0, 0].tolist() == [200, 0, 0]
    assert images[0, :, 7, 7].tolist() == [255, 255, 255]
    assert bool((images[1] == 255).all())
    assert images[2, :, 0, :2].T.tolist() == [[10, 20, 30], [255, 255, 255]]


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    stored = np.zeros((8, 16, 3), dtype=np.uint8)
    stored[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a").mkdir()
    Image.fromarray(stored).save(tmp_path / "a" / "0.jpg", exif=exif, quality=95)
    raw = read(tmp_path, None).train
    assert raw.size == (16, 8)
    image = decoded(raw)[0].float()
    assert float(image[:, :6].mean()) > 240
    assert float(image[:, 10:].mean()) < 15


def test_mixed_sizes_are_scaled_and_cropped_and_said_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bands = np.zeros((20, 40, 3), dtype=np.uint8)
    bands[:, 10:30] = 255
    write_image(tmp_path / "a" / "0.png", bands)
    write_image(tmp_path / "a" / "1.png", pixels(0))
    with caplog.at_level(logging.WARNING):
        assert read(tmp_path, None).train.size == (64, 64)
    assert "2 sizes from 8x8 to 40x20 pixels" in caplog.text
    assert "@SIZE" in caplog.text
    cut = decoded(read(tmp_path, (20, 20)).train)[0]
    assert bool((cut == 255).all())


@pytest.mark.parametrize(
    ("broken", "said"),
    [(b"", "Pillow does not recognise it"), (b"GIF89a", "cannot be read"), (b"text", "Pillow does not recognise it")],
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, broken: bytes, said: str) -> None:
    write_classes(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "b" / "broken.png").write_bytes(broken)
    with pytest.raises(UserError, match=rf"b/broken\.png cannot be read as an image.*{said}|{said}") as caught:
        whole(tmp_path)
    assert "broken.png" in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".gif", ".tif"])
def test_a_truncated_image_is_named_whatever_its_format(tmp_path: Path, suffix: str) -> None:
    write_classes(tmp_path, {"a": 3})
    victim = write_image(tmp_path / "a" / f"cut{suffix}", pixels(5, 32, 32))
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    with pytest.raises(UserError, match=f"a/cut{suffix} cannot be read as an image"):
        decoded(read(tmp_path, (8, 8)).train)


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 3})
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(UserError, match=r"gone\.png cannot be read as an image \(No such file"):
        read(tmp_path, None)


def test_a_picture_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes(tmp_path, {"a": 2})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(UserError, match=r"none of the 2 images .* can be read, the first being .*a/0\.png .*decompression bomb"):
        read(tmp_path, None)


def test_missing_empty_and_flat_folders_each_have_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read(tmp_path / "nowhere", None)
    with pytest.raises(UserError, match="holds no class folders"):
        read(tmp_path, None)
    write_image(tmp_path / "0.png", pixels(0))
    with pytest.raises(UserError, match="holds no class folders"):
        read(tmp_path, None)
    write_classes(tmp_path, {"a": 1})
    (tmp_path / "b").mkdir()
    with pytest.raises(UserError, match=r"no image in the class folder b"):
        read(tmp_path, None)


def test_a_test_split_with_other_classes_or_none_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"a": 2, "b": 2})
    (tmp_path / "test").mkdir()
    with pytest.raises(UserError, match="holds no image; fill it"):
        read(tmp_path, None)
    write_classes(tmp_path / "test", {"a": 1, "c": 1})
    with pytest.raises(UserError, match=r"has classes that .* lacks: c"):
        read(tmp_path, None)


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes(tmp_path, {"a": 2, "b": 2})

    def refuse(path: str | os.PathLike[str]) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    listing = os.scandir
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"the folder .*/b cannot be read \(Permission denied\); check its permissions"):
        read(tmp_path, None)
