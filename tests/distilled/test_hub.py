from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datastill import export, load
from tiny_sets import distilled_set


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "names",
    [("ship", "cat", "dog"), ("cat", "cat", "dog"), ("../../up", "/etc/passwd", "a/../../../up")],
    ids=["not sorted", "twice", "upwards"],
)
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
