from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datastill import export, load
from tiny_sets import distilled_set

NAMES: dict[str, tuple[str, ...]] = {
    "sorted": ("cat", "dog", "ship"),
    "not sorted": ("ship", "cat", "dog"),
    "slashes": ("a/b", "a", "c\\d"),
    "spaces": (" leading", "in side", "trailing "),
    "the same twice": ("cat", "cat", "dog"),
    "the same once made safe": ("a/b", "a_b", "a?b"),
    "dots": (".", "..", "..."),
    "upwards": ("../../up", "/etc/passwd", "a/../../../up"),
    "hidden": (".git", ".ssh", "x"),
    "only case differs": ("CAT", "Cat", "cat"),
    "other scripts": ("Käse", "猫", "🐈"),
    "empty": ("", " ", "\t"),
    "control characters": ("a\nb", "a\0b", "\x1b[2J"),
    "long": ("x" * 300, "猫" * 300, "y"),
    "twelve numbers": tuple(str(number) for number in range(12)),
    "devices": ("C:", "~", "-rf"),
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The `datasets` package, offline, with caches of its own."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("datasets")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("names", [NAMES["not sorted"], NAMES["the same twice"], NAMES["upwards"]], ids=["not sorted", "twice", "upwards"])
def test_load_dataset_reads_images_labels_and_class_names(tmp_path: Path, hub: Any, names: tuple[str, ...]) -> None:
    content = distilled_set(names, ipc=2)
    saved = content.save(tmp_path / "distilled")
    exported = export(content, tmp_path / "exported", "parquet")
    for number, folder in enumerate((saved, exported)):
        read = hub.load_dataset(str(folder), cache_dir=str(tmp_path / f"cache{number}"))
        assert list(read) == ["train"]
        train = read["train"]
        assert train["label"][:] == content.labels.tolist()
        expected = list(names) if len(set(names)) == len(names) else [f"{label}_{name}" for label, name in enumerate(names)]
        assert train.features["label"].names == expected
        for row, pixels in zip(train, content.pixels, strict=True):
            assert np.array_equal(np.asarray(row["image"]), pixels.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("channels", [1, 3])
def test_our_own_parquet_source_reads_equal_pixels(tmp_path: Path, channels: int) -> None:
    content = distilled_set(("ship", "cat", "a/b"), ipc=4, channels=channels)
    for folder in (content.save(tmp_path / "distilled"), export(content, tmp_path / "exported", "parquet")):
        data = load(f"parquet:{folder}", validation=0)
        assert data.class_names == ("ship", "cat", "a/b")
        assert torch.equal(data.train.storage, content.pixels)
        assert sorted([*data.train.rows.tolist(), *data.test.rows.tolist()]) == list(range(12))
