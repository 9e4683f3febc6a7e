"""ZCA whitening by the training images."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from datastill.data import DataSet, load
from datastill.data.images import ClassImages
from datastill.data.whitening import MOST_FEATURES, ZCA, Whitening, check_same, check_whitening, kept, whitened
from datastill.errors import UserError
from tiny_sets import data_set, same_bits


def of(data: DataSet, cache: Path, epsilon: float = 0.1) -> ZCA:
    return whitened(data.train, data.fingerprint, epsilon=epsilon, cache=cache)


def test_it_is_a_plain_loop(tiny: DataSet, tmp_path: Path) -> None:
    found = of(tiny, tmp_path)
    vectors = [image.numpy().astype(np.float64).flatten() / 255 for image in tiny.train.images]
    centre = sum(vectors) / len(vectors)
    covariance = np.zeros((192, 192))
    for vector in vectors:
        covariance += np.outer(vector - centre, vector - centre) / (len(vectors) - 1)
    directions, variances, _ = np.linalg.svd(covariance)
    matrix = directions @ np.diag(1 / np.sqrt(variances + 0.1)) @ directions.T
    np.testing.assert_allclose(found.matrix, matrix, atol=1e-6)
    images = found.apply(tiny.train.images.float() / 255)
    for image, vector in zip(images, vectors, strict=True):
        np.testing.assert_allclose(image.flatten(), matrix @ (vector - centre), atol=1e-5)


def test_whitened_images_have_no_covariance(tmp_path: Path) -> None:
    data = data_set((120, 120, 120), channels=1, size=(4, 5))
    pixels = data.train.images.float() / 255
    near = torch.cov(of(data, tmp_path, 1e-6).apply(pixels).flatten(1).mT)
    torch.testing.assert_close(near, torch.eye(20), rtol=1e-4, atol=1e-4)
    found = of(data, tmp_path).apply(pixels).flatten(1)
    variances = torch.linalg.eigvalsh(torch.cov(pixels.flatten(1).mT))
    torch.testing.assert_close(torch.linalg.eigvalsh(torch.cov(found.mT)), variances / (variances + 0.1), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.mean(0), torch.zeros(20), rtol=0, atol=1e-5)


@pytest.mark.parametrize("leading", [(), (1,), (5,), (2, 3)])
def test_it_inverts(tiny: DataSet, tmp_path: Path, leading: tuple[int, ...]) -> None:
    found = of(tiny, tmp_path)
    images = torch.rand(*leading, 3, 8, 8)
    before = images.clone()
    torch.testing.assert_close(found.invert(found.apply(images)), images, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.apply(found.invert(images)), images, rtol=0, atol=1e-5)
    assert same_bits(images, before)


def test_it_is_a_value(tiny: DataSet, tmp_path: Path) -> None:
    found, again = of(tiny, tmp_path / "one"), of(tiny, tmp_path / "other")
    assert found == again == pickle.loads(pickle.dumps(found))
    assert hash(found) == hash(again)
    assert found != of(tiny, tmp_path, 0.2)
    assert found.key != of(tiny, tmp_path, 0.2).key
    assert found.describe() == {
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "whitening": {"epsilon": 0.1, "images": "0123456789abcdef", "checksum": found.identity.checksum},
    }


def test_it_is_computed_once(tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = of(tiny, tmp_path)
    assert "by their 192x192 covariance, once" in caplog.text
    caplog.clear()
    assert of(tiny, tmp_path) == found == kept(found.identity, cache=tmp_path)
    assert not caplog.text
    assert kept(Whitening(0.3, "0123456789abcdef", ""), cache=tmp_path) is None


def test_blocks_and_order_change_no_bit(tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(tiny, tmp_path / "one")
    monkeypatch.setattr("datastill.data.whitening.BLOCK", 7)
    monkeypatch.setattr("datastill.data.whitening.SLAB", 50)
    images = ClassImages(tiny.train.storage, tiny.train.rows.flip(0), tiny.train.counts)
    assert whitened(images, tiny.fingerprint, cache=tmp_path / "other") == found


def test_a_damaged_file_is_not_used(tiny: DataSet, tmp_path: Path) -> None:
    of(tiny, tmp_path / "first")
    file = next((tmp_path / "first" / "whitening").glob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    other = tmp_path / "second" / "whitening" / file.name
    other.parent.mkdir(parents=True)
    other.write_bytes(content)
    with pytest.raises(UserError, match=r"does not match its checksum: remove it to have it computed again"):
        of(tiny, tmp_path / "second")
    named = tmp_path / "third" / "whitening" / f"{'f' * 16}-zca-0.1.safetensors"
    named.parent.mkdir(parents=True)
    named.write_bytes(file.read_bytes())
    with pytest.raises(UserError, match="is of other images: remove it"):
        kept(Whitening(0.1, "f" * 16, ""), cache=tmp_path / "third")


def test_large_images_are_refused_with_the_memory() -> None:
    check_whitening(3, (32, 32), "cifar10")
    assert MOST_FEATURES >= 3 * 32 * 32
    with pytest.raises(UserError, match=r"photos: whitening images of 3x64x64 takes 7\.2 GB of memory, more than 0\.8: resize .* 36x36"):
        check_whitening(3, (64, 64), "photos")


def test_other_images_are_refused_and_other_rounding_is_told(caplog: pytest.LogCaptureFixture) -> None:
    known = Whitening(0.1, "a" * 16, "1")
    check_same(known, known, "the set")
    assert not caplog.text
    check_same(Whitening(0.1, "a" * 16, "2"), known, "the set")
    assert "the set: its whitening was computed again and differs by rounding" in caplog.text
    with pytest.raises(UserError, match=r"the set was whitened with epsilon 0\.1 by the images aaa.*here they are bbb.*`data`"):
        check_same(Whitening(0.1, "b" * 16, "1"), known, "the set")


def test_digits_have_pixels_that_never_vary(tmp_path: Path) -> None:
    data = load("digits")
    found = of(data, tmp_path)
    images = found.apply(data.test.images.float() / 255)
    assert bool(images.isfinite().all())
    torch.testing.assert_close(found.invert(images).mul(255).round(), data.test.images.float())
