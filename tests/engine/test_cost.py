from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.engine.cost import feature_values, forward_cost, widest_map
from datastill.networks import FIELDS, NETWORKS, build
from small_networks import made


@pytest.mark.parametrize(("side", "channels", "classes"), [(8, 1, 10), (32, 3, 5), (64, 3, 200)])
@pytest.mark.parametrize("name", NETWORKS)
def test_operations_are_those_that_torch_counts(name: str, side: int, channels: int, classes: int) -> None:
    network = build(name, channels=channels, classes=classes, size=(side, side + 4)).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, channels, side, side + 4))
    assert forward_cost(network) == counter.get_total_flops()


def test_counting_operations_does_not_import_the_compiler() -> None:
    program = (
        "import sys\nfrom datastill.engine.cost import forward_cost\nfrom datastill.networks import build\n"
        "assert forward_cost(build('convnet', channels=1, classes=10, size=(8, 8))) > 1e6\n"
        "assert not {'torch._inductor', 'torch._dynamo'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_counting_operations_leaves_a_network_as_it_is() -> None:
    network = made("convnet-bn")
    before = {name: value.clone() for name, value in network.weights().items()}
    assert widest_map(network) == widest_map(made())
    assert forward_cost(network) == forward_cost(made())
    assert feature_values(network, FIELDS) == feature_values(made(), FIELDS)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.weights().items())


def test_the_values_of_features_are_those_of_the_fields_that_are_asked_for() -> None:
    network = made()  # two blocks of 8x8 and 4x4 at a width of 128, the last map 2x2, five classes
    blocks, embedding = 128 * 8 * 8 + 128 * 4 * 4, 128 * 2 * 2
    assert feature_values(network, ("blocks",)) == blocks
    assert feature_values(network, ("embedding",)) == feature_values(network, ("map",)) == embedding
    assert feature_values(network, ("logits",)) == 5
    assert feature_values(network, FIELDS) == blocks + 2 * embedding + 5
    assert feature_values(network.eval(), ()) == 0
    assert not network.training
