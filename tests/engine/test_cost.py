from __future__ import annotations

import torch

from datastill.engine.cost import feature_values, forward_cost, widest_map
from datastill.networks import FIELDS
from small_networks import made


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
