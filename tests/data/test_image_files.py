"""Files that would start a program, never end, or fill the memory; and files that are merely broken."""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datastill.data import load
from datastill.data.image_files import SUFFIXES, header
from datastill.errors import UserError
from image_files import encoded, pixels, write_classes, write_image, write_parquet

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"


def png_header(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A gray PNG that claims a size, whatever follows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def tiff_of(bands: int) -> bytes:
    """An 8x8 TIFF of 8 bits in some bands."""
    tags = [
        (256, 8),
        (257, 8),
        (258, 0),
        (259, 1),
        (262, 2 if bands == 3 else 1),
        (273, 0),
        (277, bands),
        (278, 8),
        (279, 64 * bands),
        (284, 1),
    ]
    bits = 8 + 2 + 12 * len(tags) + 4
    places = {258: bits, 273: bits + 2 * bands}
    directory = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, bands if tag == 258 else 1, places.get(tag, value)) for tag, value in tags
    )
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + struct.pack(f"<{bands}H", *[8] * bands) + bytes(64 * bands)


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Ghostscript that leaves a file when it is started; gives that file."""
    program, trace = tmp_path / "bin" / "gs", tmp_path / "started"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{trace}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return trace


def test_postscript_called_png_starts_no_program(tmp_path: Path, ghostscript: Path) -> None:
    write_classes(tmp_path / "photos", {"a": 4, "b": 4})
    (tmp_path / "photos" / "a" / "z.png").write_bytes(POSTSCRIPT)
    write_parquet(tmp_path / "table" / "train.parquet", [*(encoded(pixels(seed)) for seed in range(7)), POSTSCRIPT], [0, 1] * 4)
    for name, said in ((f"folder:{tmp_path / 'photos'}", r"z\.png"), (f"parquet:{tmp_path / 'table'}", r"row 7 of .*train\.parquet")):
        with pytest.raises(UserError, match=rf"{said} cannot be read as an image .*Pillow does not recognise it as PNG, JPEG"):
            load(name, validation=0)
        assert len(load(name, validation=0, skip_broken=True).skipped) == 1
    assert not ghostscript.exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_ending_is_of_a_format_that_is_read(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"image{suffix}", pixels(3, channels=1) if suffix in (".pgm", ".pbm") else pixels(3))
    assert header(tmp_path / f"image{suffix}", "it").size == (8, 8)


def named_pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(("make", "said"), [(named_pipe, "it is a named pipe, not a file"), (device, "it is a device, not a file")])
def test_only_regular_files_are_opened(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    write_classes(tmp_path / "photos", {"a": 4, "b": 4})
    make(tmp_path / "photos" / "a" / "9.png")
    (tmp_path / "table").mkdir()
    make(tmp_path / "table" / "train-0.parquet")
    (tmp_path / "tiny").mkdir()
    make(tmp_path / "tiny" / "wnids.txt")
    for name in ("folder:photos", "parquet:table", "tinyimagenet:tiny"):
        source, path = name.split(":")
        with pytest.raises(UserError, match=said):
            load(f"{source}:{tmp_path / path}")
    assert load(f"folder:{tmp_path / 'photos'}", skip_broken=True).skipped == (str(tmp_path / "photos" / "a" / "9.png"),)


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (20_000, 20_000, "more than 178 million pixels, so it may be a decompression bomb"),
        (1, 60_000_000, "its sides, 1x60000000 pixels, are too different to be brought to 8x8"),
        (100_000_000, 1, "its sides, 100000000x1 pixels, are too different to be brought to 8x8"),
    ],
)
def test_a_small_file_that_claims_a_huge_image_is_refused_before_it_is_decoded(tmp_path: Path, width: int, height: int, said: str) -> None:
    write_classes(tmp_path, {"a": 4, "b": 4})
    (tmp_path / "a" / "9.png").write_bytes(png_header(width, height))
    with pytest.raises(UserError, match=rf"9\.png cannot be read as an image \(.*{said}"):
        load(f"folder:{tmp_path}@8")


def test_a_large_photograph_is_read_without_a_warning(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 4, "b": 4}, channels=1)
    (tmp_path / "a" / "9.png").write_bytes(png_header(9500, 9500, bytes(9501 * 9500)))  # Pillow warns of more than 89 million
    assert load(f"folder:{tmp_path}@8", validation=0).train.counts == (4, 3)


def test_a_tiff_with_five_bands_is_called_that(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 4, "b": 4})
    (tmp_path / "a" / "satellite.tif").write_bytes(tiff_of(5))
    with pytest.raises(UserError, match=r"satellite\.tif .*a TIFF with 5 channels of 8 bits; expected 1 to 4"):
        load(f"folder:{tmp_path}")
    (tmp_path / "a" / "satellite.tif").write_bytes(tiff_of(3))
    assert header(tmp_path / "a" / "satellite.tif", "it").size == (8, 8)


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Thirty images, ten of them broken: half by their first bytes, half by their last."""
    write_classes(tmp_path, {"a": 15, "b": 15})
    for number in range(5):
        (tmp_path / "a" / f"{number}.png").write_bytes(b"junk")
        whole = (tmp_path / "b" / f"{number}.png").read_bytes()
        (tmp_path / "b" / f"{number}.png").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_all_broken_images_are_named_at_once(damaged: Path) -> None:
    with pytest.raises(UserError, match=r"a/0\.png cannot be read .*nor can 9 more of 30") as caught:
        load(f"folder:{damaged}")
    said = str(caught.value)
    assert all(f"{label}/{number}.png" in said for label in "ab" for number in range(5))
    assert "b/5.png" not in said
    assert said.count("Pillow does not recognise it") == 2  # the same reason is said of several together


def test_a_long_list_of_broken_images_is_cut(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 40, "b": 3})
    for file in (tmp_path / "a").iterdir():
        file.write_bytes(b"junk")
    with pytest.raises(UserError, match=r"nor can 39 more of 43: .*, and 19 more: remove"):
        load(f"folder:{tmp_path}")


def test_broken_images_are_left_out_where_asked_as_if_they_had_never_been_there(damaged: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        data = load(f"folder:{damaged}", skip_broken=True)
    assert data.name == f"folder:{damaged}{{skip_broken=yes}}"
    assert "10 of 30 images cannot be read and are left out" in caplog.text
    assert len(data.skipped) == 10
    assert data.describe()["skipped"] == {"images": 10, "names": list(data.skipped)}
    assert load(data.name).fingerprint == load(f"folder:{damaged}", skip_broken=True, memory_budget=0).fingerprint == data.fingerprint
    for name in data.skipped:
        Path(name).unlink()
    whole = load(f"folder:{damaged}")
    assert (whole.fingerprint, whole.skipped) == (data.fingerprint, ())
    assert "skipped" not in whole.describe()


def test_nothing_left_is_refused_even_then(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2, "b": 2})
    for file in tmp_path.rglob("*.png"):
        file.write_bytes(b"junk")
    with pytest.raises(UserError, match=r"none of the 4 images of .* can be read, the first being .*: each must be a whole image file"):
        load(f"folder:{tmp_path}", skip_broken=True)


def test_rows_of_a_table_are_left_out_too(tmp_path: Path) -> None:
    whole = encoded(pixels(9, 32, 32))
    images = [*(encoded(pixels(seed)) for seed in range(8)), None, b"junk", whole[: len(whole) // 2]]
    write_parquet(tmp_path / "train.parquet", images, [0, 1] * 5 + [0])
    data = load(f"parquet:{tmp_path}@8", skip_broken=True, validation=0)
    assert data.skipped == tuple(f"row {row} of {tmp_path / 'train.parquet'}" for row in (8, 9, 10))
    assert len(data.train) + len(data.test) == 8


def test_twelve_bits_in_sixteen_are_asked_about(tmp_path: Path) -> None:
    """Read as 16 bits they would be 16 levels of gray."""
    values = [np.random.default_rng(seed).integers(0, 4096, (8, 8)).astype(np.uint16) for seed in range(8)]
    for number, image in enumerate(values):
        image[0, 0] = 4000
        write_image(tmp_path / "ab"[number % 2] / f"{number}.png", image)
    name = f"folder:{tmp_path}"
    with pytest.raises(UserError, match=r"no value above 4\d\d\d, which leaves 16 of 256 levels: `bit_depth=12` .*`bit_depth=16`"):
        load(name)
    wide, dark = load(name, bit_depth=12, validation=0), load(name, bit_depth=16, validation=0)
    found = sorted(image.tobytes() for image in wide.train.gather(torch.arange(len(wide.train))).numpy()[:, 0])
    expected = [np.rint(image * (255 / 4095)).astype(np.uint8).tobytes() for image in values]
    assert set(found) <= set(expected)
    assert int(dark.train.storage.max()) <= 16 < int(wide.train.storage.max())
    for skip_broken in (False, True):  # an image is not broken because another depth was given
        with pytest.raises(UserError, match=r": the values of the images reach 4\d\d\d, but 10 bits end at 1023: `bit_depth=12` holds"):
            load(name, bit_depth=10, skip_broken=skip_broken)


def test_sixteen_bits_that_are_used_are_not_asked_about(tmp_path: Path) -> None:
    for number in range(8):
        write_image(tmp_path / "ab"[number % 2] / f"{number}.png", np.full((8, 8), 20000 + number, dtype=np.uint16))
    assert load(f"folder:{tmp_path}").fingerprint == load(f"folder:{tmp_path}", bit_depth=16).fingerprint


def test_a_fourth_band_is_said_to_be_read_as_transparency(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(8):
        write_image(tmp_path / "ab"[number % 2] / f"{number}.png", pixels(number, channels=4))
    name = f"folder:{tmp_path}"
    seen = load(name)
    assert "8 of 8 images have transparent pixels, which show white" in caplog.text
    assert "`transparency=ignore`" in caplog.text
    colours = load(name, transparency="ignore", validation=0)
    expected = {pixels(number, channels=4)[..., :3].tobytes() for number in range(8)}
    found = colours.train.gather(torch.arange(len(colours.train))).numpy()
    assert {image.transpose(1, 2, 0).tobytes() for image in found} <= expected
    assert seen.fingerprint != colours.fingerprint


def test_opaque_images_need_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(8):
        opaque = pixels(number, channels=4)
        opaque[..., 3] = 255
        write_image(tmp_path / "ab"[number % 2] / f"{number}.png", opaque)
    load(f"folder:{tmp_path}")
    assert "transparent" not in caplog.text


def test_further_pictures_of_a_file_are_said_to_be_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_classes(tmp_path, {"a": 4, "b": 4})
    frames = [Image.fromarray(pixels(seed)) for seed in (1, 2)]
    frames[0].save(tmp_path / "a" / "stack.tif", save_all=True, append_images=frames[1:])
    load(f"folder:{tmp_path}")
    assert "1 of 9 files hold several pictures, of which the first is read" in caplog.text
