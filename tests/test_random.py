from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import torch

from datastill.random import derive, generator


def test_a_seed_is_the_hash_of_its_path() -> None:
    digest = hashlib.blake2b(b"(7, 3, 'real batch')", digest_size=8).digest()
    assert derive(7, 3, "real batch") == int.from_bytes(digest, "little") // 2


def test_every_part_of_the_path_counts() -> None:
    paths: list[tuple[int | str, ...]] = [(), (0,), (1,), (0, 0), ("0",), (0, "a"), ("a", 0), (0, "a", 0), ("0, 'a'",), (-1,), (10**30,)]
    seeds = [derive(seed, *path) for seed, path in itertools.product((0, 1, -1, 2**70), paths)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_same_place_draws_the_same_numbers_whatever_was_drawn_before() -> None:
    torch.manual_seed(1)
    first = torch.rand(4, generator=generator(0, 5, "weights"))
    torch.manual_seed(2)
    torch.rand(100)
    assert torch.equal(first, torch.rand(4, generator=generator(0, 5, "weights")))
    assert not torch.equal(first, torch.rand(4, generator=generator(0, 6, "weights")))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(4, generator=generator(0, "weights"))
    assert torch.equal(before, torch.get_rng_state())


def test_another_process_derives_the_same_seed() -> None:
    code = "from datastill.random import derive; print(derive(3, 'class', 9))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == derive(3, "class", 9)


def test_neighbouring_seeds_are_uncorrelated() -> None:
    draws = torch.stack([torch.rand(1000, generator=generator(0, iteration)) for iteration in range(20)])
    correlation = torch.corrcoef(draws) - torch.eye(20)
    assert float(correlation.abs().max()) < 0.15
