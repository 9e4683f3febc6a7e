from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datastill.report.curve import write_curves
from datastill.report.model import CurvePoint


@pytest.mark.parametrize("count", [1, 3])
def test_a_curve_has_a_colour_per_method(tmp_path: Path, count: int) -> None:
    points = [
        CurvePoint(f"dm+{number}", iteration, 2.0 * iteration, 10.0 * number + iteration)
        for number in range(count)
        for iteration in (0, 5, 10)
    ]
    write_curves(points, tmp_path / "curve.png", "T")
    with Image.open(tmp_path / "curve.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    colours = [(31, 119, 180), (255, 127, 14), (44, 160, 44)]  # matplotlib's first three
    drawn = [bool((np.abs(pixels - np.array(colour)).sum(2) < 6).any()) for colour in colours]
    assert drawn == [number < count for number in range(3)]
