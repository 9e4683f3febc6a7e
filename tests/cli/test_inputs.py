"""Data of one's own, as it comes: what `distill` says of it. One line for each thing that can be misread, and what becomes of it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from commands import refusal
from datastill.cli import main
from datastill.cli.program import flags
from image_files import encoded, pixels, write_classes, write_image, write_parquet

NFC, NFD = (unicodedata.normalize(form, "Käse") for form in ("NFC", "NFD"))
LABELS = [0, 1] * 5


@dataclass(frozen=True)
class Input:
    """Something to distil.

    Attributes:
        make: Writes it into the working folder.
        name: What it is called on the command line, with further options.
        said: A part of what is said; "" if nothing need be.
        images: How many are left to train on; None if it is refused.
    """

    make: Callable[[], object]
    name: str
    said: str
    images: int | None = None


def files(count: int = 10, first: int = 0) -> list[bytes | None]:
    return [encoded(pixels(first + number)) for number in range(count)]


def column(count: int = 10, first: int = 0, channels: int = 3) -> Any:
    images = [{"bytes": encoded(pixels(first + number, channels=channels)), "path": None} for number in range(count)]
    return pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def table(name: str, **columns: Any) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), name)


def classes(root: str, *parts: str, count: int = 5) -> None:
    for number, part in enumerate(parts or (".",)):
        write_classes(Path(root, part), {"cat": count, "dog": count}, first_seed=100 * number)


def damaged(root: str, count: int) -> None:
    """Thirty images, of which some are cut off."""
    classes(root, count=15)
    for number in range(count):
        file = Path(root, "dog", f"{number}.png")
        file.write_bytes(file.read_bytes()[:60])


def linked() -> None:
    classes("photos", count=4)
    write_classes(Path("elsewhere"), {"more": 20}, first_seed=50)
    Path("photos/cat/more").symlink_to(Path("elsewhere/more").resolve())


def jpeg2000() -> None:
    classes("photos", count=4)
    for number in range(6):
        Image.fromarray(pixels(90 + number)).save(f"photos/cat/{number}.jp2")


def deep() -> None:
    for number in range(10):
        image = np.random.default_rng(number).integers(0, 4096, (8, 8)).astype(np.uint16)
        image[0, 0] = 4000
        write_image(Path("photos", "ab"[number % 2], f"{number}.png"), image)


def bands() -> None:
    for number in range(10):
        write_image(Path("photos", "ab"[number % 2], f"{number}.png"), pixels(number, channels=4))


def secret() -> None:
    table("set/train.parquet", image=column(), label=LABELS)
    table("set/test.parquet", image=column(4, 50), label=[-1] * 4)


def small() -> None:
    for part in ("train", "train_small"):
        table(f"set/{part}-00000-of-00001.parquet", image=column(), label=LABELS)


def composed() -> None:
    for part, name in (("train", NFC), ("test", NFD)):
        write_classes(Path("photos", part), {name: 5, "dog": 5})


def sized() -> None:
    classes("set@64")
    classes("set")


def uneven() -> None:
    write_classes(Path("photos"), {"cat": 20, "dog": 5})


def tinyimagenet() -> None:
    for part, first in (("train", 0), ("valid", 200)):
        images = [encoded(pixels(first + number, 64, 64)) for number in range(10)]
        write_parquet(Path(f"data/tinyimagenet/data/{part}-00000-of-00001.parquet"), images, LABELS, names=["n01", "n02"])


def hub_layout() -> None:
    table("set/default/train/0000.parquet", image=column(), label=LABELS)
    table("set/default/test/0000.parquet", image=column(4, 50), label=[0, 1] * 2)


INPUTS: dict[str, Input] = {
    "a mask before the image": Input(
        lambda: table("set/train.parquet", mask=column(channels=1), image=column(), label=LABELS),
        "parquet:set", "parquet:set/train.parquet: the column image is read, not mask; --image-column mask reads another", 6,
    ),
    "two columns of images": Input(
        lambda: table("set/train.parquet", mask=column(channels=1), scan=column(), label=LABELS),
        "parquet:set", "--image-column mask reads one of them, --image-column scan another",
    ),
    "Training and Testing": Input(
        lambda: classes("photos", "Training", "Testing"), "folder:photos", "Training is distilled, and Testing is the test split", 8
    ),
    "train and eval": Input(
        lambda: classes("photos", "train", "eval"), "folder:photos", "train is distilled, and eval is the test split", 8
    ),
    "train and something else": Input(
        lambda: classes("photos", "train", "clinic"),
        "folder:photos", "--test-split clinic tests on that part, --test-split none holds out a part of train instead",
    ),
    "a link to a folder of images": Input(linked, "folder:photos", "", 19),
    "JPEG 2000 beside PNG": Input(jpeg2000, "folder:photos", "", 9),
    "train_small beside train": Input(
        small, "parquet:set", "train_small is ignored (--train-split and --test-split choose other parts)", 6,
    ),
    "12 of 16 bits": Input(deep, "folder:photos", "leaves 16 of 256 levels: --bit-depth 12 reads them as images of 12 bits"),
    "12 of 16 bits, and it is said": Input(deep, "folder:photos --bit-depth 12", "", 6),
    "a fourth band": Input(bands, "folder:photos", "10 of 10 images have transparent pixels, which show white", 6),
    "a fourth band, and it is said": Input(bands, "folder:photos --transparency ignore", "", 6),
    "one broken image of thirty": Input(lambda: damaged("photos", 1), "folder:photos", "leave it out with --skip-broken"),
    "several broken images": Input(lambda: damaged("photos", 5), "folder:photos", "nor can 4 more of 30: photos/dog/1.png, "),
    "broken images left out": Input(lambda: damaged("photos", 5), "folder:photos --skip-broken", "5 of 30 images cannot be read and", 18),
    "labels that are no whole numbers": Input(
        lambda: table("set/train.parquet", image=column(), label=[0.5, 1.0] * 5), "parquet:set", "found 0.5, which is no whole number"
    ),
    "a test split with secret classes": Input(secret, "parquet:set", "hold out a part of the training split with --test-split none"),
    "a test split with secret classes, left out": Input(secret, "parquet:set --test-split none", "", 6),
    "998 classes without an image": Input(
        lambda: write_parquet(Path("set/train.parquet"), files(), [3, 997] * 5, names=[f"class {number}" for number in range(1000)]),
        "parquet:set", "998 of 1000 classes have no image and are left out: class 0, class 1,", 6,
    ),
    "two classes of one name": Input(
        lambda: write_parquet(Path("set/train.parquet"), files(12), [0, 1, 2] * 4, names=["crane", "eel", "crane"]),
        "parquet:set", "several classes are called crane; their number is added", 6,
    ),
    "names that look the same": Input(
        lambda: write_classes(Path("photos"), {NFC: 5, NFD: 5}), "folder:photos", "two classes look the same, 'Ka\\u0308se' and 'K\\xe4se'"
    ),
    "names that look the same in train and test": Input(
        composed, "folder:photos", "", 8
    ),
    "a folder that ends like a size": Input(lambda: classes("set@64"), "folder:set@64", "", 6),
    "a folder that ends like a size, and one without": Input(sized, "folder:set@64", "set@64 is there too, and read if", 6),
    "one level too deep": Input(lambda: classes("photos/photos"), "folder:photos", "did you mean folder:photos/photos?"),
    "a column of bytes": Input(
        lambda: table("set/train.parquet", image=pa.array(files(), pa.binary()), label=LABELS), "parquet:set", "", 6
    ),
    "a column of raw pixels": Input(
        lambda: table("set/train.parquet", image=pa.array([pixels(number).tobytes() for number in range(10)]), label=LABELS),
        "parquet:set", "each must be a whole image file with 1 to 4 channels, not raw pixels",
    ),
    "a folder for each configuration and split": Input(hub_layout, "parquet:set", "", 8),
    "soft labels": Input(
        lambda: table("set/train.parquet", image=column(), label=[[0.5, 0.5], [1.0, 0.0]] * 5),
        "parquet:set", "soft labels; add a column with the class of the largest and name it as --label-column",
    ),
    "tinyimagenet as parquet": Input(tinyimagenet, "tinyimagenet", "train is distilled, and valid is the test split", 8),
    "fewer images than IPC": Input(
        uneven, "folder:photos --ipc 10 --method dm", "fewer than IPC 10: use --init augmented for changed copies of its images, --ipc 3 or"
    ),
    "fewer images than IPC to choose from": Input(uneven, "folder:photos --ipc 10", "fewer than IPC 10: use --ipc 3 or less"),
    "48x64 pixels": Input(
        lambda: [write_image(Path("photos", "ab"[number % 2], f"{number}.png"), pixels(number, 48, 64)) for number in range(10)],
        "folder:photos", "", 6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_every_choice_is_stated_or_asked_about(
    name: str,
    working_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = INPUTS[name]
    given.make()
    monkeypatch.setenv("DATASTILL_DATA", str(working_folder / "data"))
    words = given.name.split()
    options = ["--out", "run", *([] if "--method" in words else ["--method", "random"]), *([] if "--ipc" in words else ["--ipc", "1"])]
    if given.images is None:
        assert given.said in refusal(capsys, "distill", *words, *options)
        assert not os.path.lexists("run")
        return
    main(["distill", *words, *options])
    lines = [flags(record.getMessage()) for record in caplog.records if "has no test split" not in record.getMessage()]
    assert f" of {given.images} training images" in lines.pop()
    assert given.said in "\n".join(lines)
    assert bool(given.said) == bool(lines), lines
