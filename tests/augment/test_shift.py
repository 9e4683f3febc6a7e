from __future__ import annotations

from collections import Counter

import pytest
import torch

from datastill.augment import flip_and_shift


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("height", "width", "reach"), [(8, 8, 1), (16, 16, 2), (12, 28, 4)])
def test_images_are_mirrored_and_shifted_as_naive_loops_do_it(flip: bool, height: int, width: int, reach: int) -> None:
    count = 300
    image = 1 + torch.arange(height * width).reshape(1, height, width).float()
    images = torch.stack([image + 1000 * number for number in range(count)])
    result = flip_and_shift(images, flip=flip, generator=torch.Generator().manual_seed(5))
    seen: Counter[tuple[bool, int, int]] = Counter()
    for number, ours in enumerate(result):
        row, column = divmod(int(ours[0, height // 2, width // 2]) - 1 - 1000 * number, width)
        following = int(ours[0, height // 2, width // 2 + 1]) - int(ours[0, height // 2, width // 2])
        assert abs(following) == 1
        mirrored = following < 0
        down, right = height // 2 - row, width // 2 - (width - 1 - column if mirrored else column)
        seen[mirrored, down, right] += 1
        naive = torch.zeros_like(image)
        for y in range(height):
            for x in range(width):
                source = (y - down, x - right)
                if 0 <= source[0] < height and 0 <= source[1] < width:
                    naive[0, y, x] = images[number, 0, source[0], width - 1 - source[1] if mirrored else source[1]]
        if number < 60:
            assert torch.equal(ours, naive)
    assert {down for _, down, _ in seen} == {right for _, _, right in seen} == set(range(-reach, reach + 1))
    share = sum(count for (mirrored, _, _), count in seen.items() if mirrored) / count
    assert (0.4 < share < 0.6) if flip else share == 0


def test_the_same_generator_gives_the_same_images() -> None:
    images = torch.rand(20, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    one, two, other = (flip_and_shift(images, flip=True, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
