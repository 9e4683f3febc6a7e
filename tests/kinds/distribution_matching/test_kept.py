"""Targets that are computed once for each network and draw of augmentation, and kept."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill import UserError, random
from datastill.augment import DSA, families
from datastill.data import DataSet
from datastill.encoders import FreshNetwork, NetworkQueue
from datastill.kinds.distribution_matching import kept
from datastill.methods import DistributionMatching
from datastill.networks import build
from datastill.terms import AttentionMatching, MeanMatching
from small_methods import POOL, Seen, gradient, opened, small, watched

KEPT = ("matching.count=2", "matching.targets=2")


@pytest.fixture(autouse=True)
def kept_targets(cache: Path, no_limit: None) -> Path:
    """Where they are on disk."""
    return cache / "targets"


def classes_of(seen: Seen) -> list[int]:
    return [label for _, labels, _ in seen for label in labels.tolist()]


def run(composed: DistributionMatching, data: DataSet, *, ipc: int = 2, seed: int = 0) -> tuple[Tensor, list[int]]:
    """The images after eight steps, and the classes of the real images that were looked at."""
    stepper = opened(composed, data, ipc, seed)
    seen = watched(stepper.encoders["matching"])
    for iteration in range(8):
        stepper.step(iteration)
    return stepper.images(), classes_of(seen)


@pytest.mark.parametrize("setting", ["matching.target_images=5", "matching.target_images=0", "matching.target_images=1000", "views=2"])
def test_a_step_written_out(tiny: DataSet, setting: str) -> None:
    stepper = opened(small("dm", *KEPT, setting), tiny, ipc=3, seed=4)
    pixels = stepper.images().requires_grad_()
    figures = stepper.step(6)

    views = 2 if setting == "views=2" else 1
    images = {"matching.target_images=5": 5, "matching.target_images=0": 7, "matching.target_images=1000": 12, "views=2": 8}[setting]
    network = build("convnet", channels=3, classes=3, size=(8, 8))
    member = int(torch.randint(2, (), generator=random.generator(4, 6, "fixed network")))
    network.reset(random.generator(0, member, "fixed network"))
    dsa = DSA(families(flip=True))
    loss = torch.zeros(())
    for label in range(3):
        number = int(torch.randint(2, (), generator=random.generator(4, 6, label, "kept draw")))
        rows = tiny.train.draw(label, images, random.generator(0, member, number, label, "kept target"))
        real = torch.chunk(tiny.normalise(tiny.train.gather(rows)), views)
        draws = [dsa.draw([random.generator(0, number, label, view, "kept augmentation")]) for view in range(views)]
        of_real = torch.cat([network(dsa(part[None], draw)[0]).embedding for part, draw in zip(real, draws, strict=True)]).detach()
        of_synthetic = torch.cat([network(dsa(pixels[None, label], draw)[0]).embedding for draw in draws])
        loss = loss + (of_real.mean(0) - of_synthetic.mean(0)).square().sum()
    (expected,) = torch.autograd.grad(loss, pixels)
    assert figures["mm"] == pytest.approx(loss.item(), rel=1e-4)
    torch.testing.assert_close(gradient(stepper), expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))


def test_each_network_and_draw_is_computed_once_and_found_by_other_seeds_ipcs_and_weights(tiny: DataSet, kept_targets: Path) -> None:
    images, seen = run(small("dm", *KEPT), tiny)
    assert seen == [0, 1, 2] * 4
    assert len(list(kept_targets.glob("*.safetensors"))) == 4
    again, seen = run(small("dm", *KEPT), tiny)
    assert not seen
    assert torch.equal(again, images)  # from the disk to the same bits
    for composed, ipc, seed in ((small("dm", *KEPT), 3, 1), (small("dm", *KEPT, "mm.weight=2", "learning_rate=0.5"), 2, 0)):
        assert not run(composed, tiny, ipc=ipc, seed=seed)[1]
    assert len(list(kept_targets.glob("*.safetensors"))) == 4


def test_what_a_target_depends_on_has_files_of_its_own(tiny: DataSet) -> None:
    run(small("dm", *KEPT), tiny)
    attention = replace(small("dm", *KEPT), terms=(MeanMatching(), AttentionMatching(power=1)))
    for composed, data in (
        (small("dm", *KEPT), replace(tiny, mean=(0.1, 0.2, 0.3))),
        (small("dm", *KEPT), replace(tiny, fingerprint="another")),
        (small("dm", *KEPT), replace(tiny, flip=False)),
        (small("dm", *KEPT, "matching.target_images=5"), tiny),
        (small("dm", *KEPT, "augment=no"), tiny),
        (small("dm", *KEPT, "augmentation=idc"), tiny),
        (small("dm", *KEPT, "views=2"), tiny),
        (attention, tiny),
        (replace(attention, terms=(MeanMatching(), AttentionMatching(power=2))), tiny),
    ):
        assert run(composed, data)[1]
        assert not run(composed, data)[1]


@pytest.mark.parametrize(
    ("setting", "families"),
    [("augmentation=dsa", [list(DSA().families)]), ("augmentation=idc", [["crop"], ["colour"], ["cutout"]]), ("augment=no", [[]])],
)
def test_targets_are_named_by_their_augmentation_and_those_of_one_family_as_before(tiny: DataSet, setting: str, families: object) -> None:
    stepper = opened(small("dm", *KEPT, setting), tiny)
    stepper.step(0)
    name = stepper.targets.kept["matching"].made_of(1)
    assert json.loads(name)["augmentation"] == [*families, 1, 1]  # type: ignore[misc]  # a list


def test_networks_of_a_pool_keep_theirs_by_their_weights(tiny: DataSet) -> None:
    composed = small("dm+cm", encoders={"matching": replace(POOL, targets=1)})
    assert run(composed, tiny)[1] == [0, 1, 2] * 2
    assert not run(composed, tiny)[1]
    trained_longer = replace(POOL, targets=1, recipe=replace(POOL.recipe, epochs=2))
    assert run(replace(composed, encoders={"matching": trained_longer}), tiny)[1]


@pytest.mark.parametrize("name", ["dm+cm", "cafe", "m3d", "datadam"])
def test_little_memory_changes_nothing(tiny: DataSet, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    composed = small(name)
    composed = replace(composed, encoders={**composed.encoders, "matching": FreshNetwork("convnet", count=2, targets=2)})
    images, _ = run(composed, tiny)
    monkeypatch.setattr(kept, "MEMORY", 1)
    again, seen = run(composed, tiny)
    assert torch.equal(again, images)
    assert not seen


def test_a_damaged_file_is_one_line_and_computed_again(tiny: DataSet, kept_targets: Path, caplog: pytest.LogCaptureFixture) -> None:
    images, _ = run(small("dm", *KEPT), tiny)
    damaged, truncated, *_ = sorted(kept_targets.iterdir())
    content = bytearray(damaged.read_bytes())
    content[-3] ^= 1
    damaged.write_bytes(content)
    truncated.write_bytes(truncated.read_bytes()[:100])
    caplog.clear()
    again, seen = run(small("dm", *KEPT), tiny)
    assert torch.equal(again, images)
    assert seen == [0, 1, 2] * 2
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 2
    assert all("the targets in it will be computed again" in line and "\n" not in line for line in told)
    assert not run(small("dm", *KEPT), tiny)[1]


def test_a_run_goes_on_where_nothing_can_be_written(tiny: DataSet, kept_targets: Path, caplog: pytest.LogCaptureFixture) -> None:
    images, _ = run(small("dm", *KEPT), tiny)
    for path in kept_targets.iterdir():
        path.unlink()
    kept_targets.rmdir()
    kept_targets.write_text("in the way")
    caplog.clear()
    again, seen = run(small("dm", *KEPT), tiny)
    assert torch.equal(again, images)
    assert seen == [0, 1, 2] * 4
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert "targets will be kept in memory only" in told[0]


def test_a_constraint_in_another_network_sees_the_numbered_draws_too(tiny: DataSet) -> None:
    stepper = opened(small("dm+iid", *KEPT), tiny)
    assert set(stepper.step(0)) == {"loss", "mm", "cm", "cc"}
    both = {"matching": FreshNetwork(count=2, targets=2), "pretrained": replace(POOL, targets=2)}
    opened(small("dm+iid", encoders=both), tiny).step(0)


@pytest.mark.parametrize(
    ("composed", "said"),
    [
        (
            small("dm", "matching.targets=2"),
            "'matching' draws a new network every time: use `matching.count=N` with a number of networks, or",
        ),
        (small("idm", "matching.targets=2"), r"'matching' draws a new network every time: use `matching.targets=0`"),
        (small("datadam-bn", *KEPT), "no class has its own target to keep: use another network, `matching.network=NAME`, or"),
        (small("m3d", *KEPT, "matching.target_images=1"), "'km' needs at least 2 real images per class and step, but the real batch is 1"),
    ],
)
def test_targets_that_cannot_be_kept_are_refused(tiny: DataSet, composed: DistributionMatching, said: str) -> None:
    with pytest.raises(UserError, match=said):
        composed.check(tiny, 2)


def test_encoders_that_keep_targets_of_other_draws_are_refused(tiny: DataSet) -> None:
    class Elsewhere(MeanMatching):
        name = "elsewhere"
        encoder = "pretrained"

    composed = small("dm", encoders={"matching": FreshNetwork(count=2, targets=2), "pretrained": replace(POOL, targets=3)}) + Elsewhere()
    with pytest.raises(UserError, match=r"must keep the same number, got matching\.targets=2, pretrained\.targets=3"):
        composed.check(tiny, 2)
    small("dm+cc", encoders={**composed.encoders}).check(tiny, 2)  # cc keeps no target of a batch


@pytest.mark.parametrize("setting", ["targets=-1", "target_images=-1", "count=-1"])
def test_numbers_below_zero_are_refused(setting: str) -> None:
    with pytest.raises(UserError, match="must be at least"):
        small("dm", f"matching.{setting}")


def test_the_networks_of_a_fixed_number_are_the_same_in_every_run(tiny: DataSet) -> None:
    def weights(seed: int) -> dict[int | None, Tensor]:
        session = opened(small("dm", "matching.count=3"), tiny, seed=seed).encoders["matching"]
        found = {}
        for iteration in range(20):
            session.begin(iteration)
            found[session.member] = torch.cat([entry.flatten() for entry in session.network.weights().values()])
        return found

    one, other = weights(0), weights(1)
    assert set(one) == set(other) == {0, 1, 2}
    assert all(torch.equal(one[member], other[member]) for member in one)
    assert not torch.equal(one[0], one[1])
    assert NetworkQueue().fixed == 0
    assert FreshNetwork().fixed == 0
    assert POOL.fixed == 2
