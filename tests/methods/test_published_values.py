"""Values of the methods that match gradients or trajectories, unroll training or learn kernels, as their papers and code publish them."""

from __future__ import annotations

from typing import Any

import pytest

from datastill.methods import method

MATCHES = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
"""By IPC: matches in a network, and epochs of its training between them, in DC and DSA."""
GRADIENTS = {"learning_rate": 0.1, "momentum": 0.5, "network_rate": 0.01, "real_batch": 256, "batch": 256, "averaging": 0.0}
TRAJECTORIES = {"momentum": 0.5, "expert_epochs": 2, "through": True, "initialisation": "real", "augment": True}
EXPERTS = {"learning_rate": 0.01, "momentum": 0.0, "weight_decay": 0.0, "batch": 256}


@pytest.mark.parametrize(
    ("name", "ipc", "published"),
    [
        *(("dc", ipc, {**GRADIENTS, "matches": outer, "epochs": inner}) for ipc, (outer, inner) in MATCHES.items()),
        *(("dsa", ipc, {**GRADIENTS, "matches": outer, "epochs": inner}) for ipc, (outer, inner) in MATCHES.items()),
        ("dc", 1, {"initialisation": "noise", "augment": False, "summed_from": None}),
        ("dsa", 1, {"initialisation": "real", "augment": True, "summed_from": None}),
        ("dcc", 1, {**GRADIENTS, "matches": 10, "epochs": 5, "initialisation": "real", "augment": True, "summed_from": 250}),
        ("dcc", 10, {**GRADIENTS, "matches": 10, "epochs": 50}),
        ("mtt", 1, {**TRAJECTORIES, "inner": 50, "latest_start": 2, "learning_rate": 100, "rate_rate": 1e-7, "start_rate": 0.01}),
        ("mtt", 10, {**TRAJECTORIES, "inner": 30, "latest_start": 20, "learning_rate": 100, "rate_rate": 1e-5, "start_rate": 0.001}),
        ("mtt", 50, {**TRAJECTORIES, "inner": 30, "latest_start": 40, "learning_rate": 1000, "batch": 256}),
        ("ftd", 1, {**TRAJECTORIES, "inner": 50, "averaging": 0.9999}),
        ("ftd", 10, {**TRAJECTORIES, "inner": 30, "averaging": 0.9995}),
        ("ftd", 50, {**TRAJECTORIES, "averaging": 0.999}),
        ("dd", 10, {"learning_rate": 0.01, "epochs": 3, "start_rate": 0.02, "halve_every": 40 * 44, "target_batch": 1024}),
        ("ld", 10, {"images": False, "labels": "weights", "inner_batch": 50, "target_batch": 1024, "ridge": 1.0, "relative": False}),
        ("kip", 10, {"learning_rate": 0.04, "target_batch": 5000, "ridge": 1e-6, "relative": True, "labels": "fixed", "images": True}),
        ("frepo", 10, {"pool": 10, "uses": 100, "target_batch": 1024, "labels": "scores", "images": True}),
    ],
)
def test_values_are_those_published_for_cifar10(name: str, ipc: int, published: dict[str, Any]) -> None:
    composed = method(name, data="cifar10", ipc=ipc)
    assert {field: getattr(composed, field) for field in published} == published


@pytest.mark.parametrize(("name", "flat"), [("mtt", {"sharpness": 0.0}), ("ftd", {"sharpness": 0.01, "gap": 0.3})])
def test_experts_are_trained_as_published(name: str, flat: dict[str, float]) -> None:
    recipe = method(name, data="cifar10", ipc=10).trained  # type: ignore[attr-defined]
    assert {field: getattr(recipe, field) for field in (*EXPERTS, *flat)} == {**EXPERTS, **flat}
    assert recipe.schedule == "constant"
