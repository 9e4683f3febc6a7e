from __future__ import annotations

import torch

from datastill.networks import Features, concatenate
from plain_networks import batch, made


def features(count: int, seed: int = 0) -> Features:
    with torch.no_grad():
        result: Features = made("convnet", 1, (8, 8))(batch(count, 1, (8, 8), seed))
    return result


def test_features_stack_keep_and_join() -> None:
    whole = features(6)
    stacked = whole.stack(torch.tensor([4, 0, 2]), accuracy=0.25)
    assert stacked.labels.tolist() == [4, 0, 2]
    assert stacked.accuracy == stacked.only(("map",)).accuracy == stacked.float().accuracy == 0.25
    assert torch.equal(stacked.only(("map",)).labels, stacked.labels)
    assert whole.labels.numel() == whole.accuracy == 0
    assert stacked.embedding.shape == (3, 2, 512)
    assert torch.equal(stacked.embedding[1, 0], whole.embedding[2])
    assert stacked.blocks[0].shape == (3, 2, 128, 8, 8)
    kept = whole.only(("map", "blocks"))
    assert kept.embedding.numel() == kept.logits.numel() == 0
    assert torch.equal(kept.map, whole.map)
    assert len(kept.blocks) == 2
    assert whole.only(("logits",)).blocks == ()
    joined = concatenate([features(6), features(2, 1)]).only(("embedding",))
    assert joined.embedding.shape == (8, 512)
    assert joined.stack(torch.arange(4)).map.numel() == 0
    assert torch.equal(joined.embedding[6:], features(2, 1).embedding)
