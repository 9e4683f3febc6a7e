from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill import DistilledSet
from datastill.errors import UserError
from tiny_sets import distilled_set


def test_pixels_and_rendering_by_hand() -> None:
    origin = replace(distilled_set().origin, mean=(0.5,), std=(0.25,), class_names=("one",))
    values = torch.tensor([-3.0, -2.0, 0.0, 0.4, 2.0, 2.5])
    rendered = DistilledSet(values.view(1, 1, 2, 3), torch.zeros(1, dtype=torch.int64), origin)
    # 0.5 + 0.25 v = -0.25, 0, 0.5, 0.6, 1, 1.125; times 255, clipped: 0, 0, 127.5 (to the even 128), 153, 255, 255
    assert rendered.pixels.flatten().tolist() == [0, 0, 128, 153, 255, 255]
    expected = [(level / 255 - 0.5) / 0.25 for level in (0, 0, 128, 153, 255, 255)]
    torch.testing.assert_close(rendered.rendered().images.flatten(), torch.tensor(expected))
    assert torch.equal(rendered.rendered().pixels, rendered.pixels)


def test_a_set_without_parts_is_what_networks_are_trained_on(tmp_path: Path) -> None:
    whole = distilled_set()
    assert torch.equal(whole.expanded()[0], whole.images)
    assert torch.equal(whole.expanded()[1], whole.labels)
    whole.save(tmp_path)
    assert "a grid of" not in (tmp_path / "README.md").read_text()


def test_parts_become_images_of_their_own_for_other_programs() -> None:
    whole = distilled_set(size=(8, 8), factor=2)
    plain = whole.of_parts()
    assert torch.equal(plain.images, whole.expanded()[0])
    assert plain.origin == replace(whole.origin, factor=1)
    assert torch.equal(plain.expanded()[0], plain.images)


def test_images_per_class_is_a_mean_where_classes_differ() -> None:
    whole = distilled_set(ipc=4)
    assert (len(whole), whole.ipc) == (12, 4)
    part = replace(whole, images=whole.images[:9], labels=whole.labels[:9])
    assert part.ipc == 3


def test_a_set_that_cannot_be_right_is_not_made() -> None:
    good = distilled_set()
    with pytest.raises(UserError, match="NaN"):
        replace(good, images=good.images * float("nan"))
