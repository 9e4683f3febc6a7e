"""Strips of images in one picture: whole squares for pixels, in their order, at any size."""

from __future__ import annotations

import numpy as np
import pytest

from datastill.distilled.picture import Strip, drawn
from tiles import Pixels, enlarged, places, read


def noise(side: int, seed: int, channels: tuple[int, ...] = (3,)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (side, side, *channels), dtype=np.uint8)


@pytest.mark.parametrize("classes", [3, 9])
@pytest.mark.parametrize(("side", "factor", "channels"), [(8, 8, ()), (28, 3, ()), (32, 2, (3,)), (64, 1, (3,)), (100, 1, (3,))])
def test_every_pixel_is_a_square_of_the_same_size(side: int, factor: int, channels: tuple[int, ...], classes: int) -> None:
    images = [[noise(side, 10 * label + number, channels) for number in range(2)] for label in range(classes)]
    picture = read(drawn([Strip("", images)], [str(label) for label in range(classes)]))
    found = []
    for row in images:
        for pixels in row:
            (place,) = places(picture, enlarged(pixels, factor))
            found.append(place)
    down, across = (0, 1) if classes == 3 else (1, 0)  # a row per class, or a column
    order = [(place[down], place[across]) for place in found]
    assert order == sorted(order)
    assert len({place[down] for place in found}) == classes
    assert len({place[across] for place in found}) == 2


@pytest.mark.parametrize("classes", [3, 9])
def test_strips_stand_beside_each_other_with_room_for_their_titles(classes: int) -> None:
    strips = [
        Strip(title, [[noise(32, 10 * label + start), noise(32, 10 * label + start + 1)] for label in range(classes)])
        for title, start in (("real", 0), ("made", 5))
    ]
    names = [str(label) for label in range(classes)]
    with_titles = read(drawn(strips, names, "what this is"))
    first, second = ([places(with_titles, enlarged(each.by_class[label][0], 2))[0] for label in range(classes)] for each in strips)
    beside = 1 if classes == 3 else 0
    assert max(place[beside] for place in first) + 64 < min(place[beside] for place in second)
    assert [place[1 - beside] for place in first] == [place[1 - beside] for place in second]
    without = read(drawn([Strip("", each.by_class) for each in strips], names))
    assert with_titles.shape[0] > without.shape[0]
    top = min(place[0] for place in first)
    assert (with_titles[:top] < 128).any()  # letters


def test_a_class_may_have_fewer_images() -> None:
    picture = read(drawn([Strip("", [[noise(8, 1)], [], [noise(8, 2), noise(8, 3)]])], ["a", "b", "c"]))
    assert all(places(picture, enlarged(noise(8, seed), 8)) for seed in (1, 2, 3))


@pytest.mark.long
@pytest.mark.parametrize(("side", "classes"), [(300, 2), (64, 2000), (8, 1000)])
def test_no_picture_is_too_large(side: int, classes: int) -> None:
    tile = np.full((side, side), 200, dtype=np.uint8)
    picture = read(drawn([Strip("", [[tile]] * classes)], [f"class {label}" for label in range(classes)]))
    assert max(picture.shape) < 65_536
    assert (picture == 200).all(2).any(1).sum() >= classes
