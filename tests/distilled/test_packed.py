from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill.distilled import DistilledSet
from datastill.distilled.packed import FORMS, HEADER, fitting, packed, unpacked
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors
from tiny_sets import distilled_set, soft_set


def images(scale: float = 1.0) -> Tensor:
    return scale * torch.randn(6, 3, 8, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("form", "off"), [("float16", 0.002), ("8-bit", 0.5 / 255)])
def test_images_come_back_within_what_the_form_can_hold(form: str, off: float) -> None:
    for scale in (1.0, 100.0, 1e-3):
        given = images(scale)
        stored, header = packed(given, form)
        found = unpacked(stored, header, Path("set"))
        span = (given.amax((0, 2, 3)) - given.amin((0, 2, 3)))[:, None, None]
        assert bool(((found - given).abs() <= 1.01 * off * span).all())
        assert stored.element_size() == {"float16": 2, "8-bit": 1}[form]


def test_a_flat_channel_is_kept_exactly() -> None:
    flat = torch.full((2, 1, 8, 8), 0.3)
    assert torch.equal(unpacked(*packed(flat, "8-bit"), Path("set")), flat)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("content", [distilled_set(), soft_set("logits", learning_rate=0.02)])
def test_a_packed_file_is_read_like_any_other(content: DistilledSet, form: str, tmp_path: Path) -> None:
    path = content.pack(tmp_path / "images.safetensors", form)
    found = DistilledSet.load(tmp_path)
    assert torch.equal(found.labels, content.labels)
    assert (found.origin, found.label_kind, dict(found.numbers)) == (content.origin, content.label_kind, dict(content.numbers))
    assert torch.equal(found.images, unpacked(*packed(content.images, form), path))
    assert path.read_bytes() == content.pack(tmp_path / "again.safetensors", form).read_bytes()


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"form": "float16"},
        {"form": "7-bit", "low": [0, 0, 0], "step": [1, 1, 1]},
        {"form": "8-bit", "low": [0, 0, 0]},
        {"form": "8-bit", "low": [0, 0], "step": [1, 1]},
        {"form": "8-bit", "low": [0, 0, 0], "step": [1, 0, 1]},
        {"form": "8-bit", "low": "x", "step": [1, 1, 1]},
        {"form": "8-bit", "low": [0, 0, 1e999], "step": [1, 1, 1]},
        [],
    ],
)
def test_a_header_that_does_not_fit_is_one_line(said: object, tmp_path: Path) -> None:
    path = distilled_set().pack(tmp_path / "images.safetensors", "8-bit")
    tensors, text = load_tensors(path)
    save_tensors(path, tensors, {**text, HEADER: json.dumps(said)})
    with pytest.raises(UserError, match=r"is damaged|is not valid"):
        DistilledSet.load(path)


def test_packed_images_without_their_header_are_refused(tmp_path: Path) -> None:
    path = distilled_set().pack(tmp_path / "images.safetensors", "float16")
    tensors, text = load_tensors(path)
    save_tensors(path, tensors, {key: value for key, value in text.items() if key != HEADER})
    with pytest.raises(UserError, match="images must be float32"):
        DistilledSet.load(path)


def test_what_cannot_be_packed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"up to .*e\+0., too large for float16: keep them as 8-bit"):
        packed(images(1e6), "float16")
    with pytest.raises(UserError, match="packed as float16 or 8-bit, got '4-bit'"):
        distilled_set().pack(tmp_path / "set", "4-bit")


def test_the_most_exact_form_that_fits_is_taken() -> None:
    sizes = {100: "float16", 500: "8-bit", 1000: None}
    assert {count: fitting(torch.empty(count, 3, 32, 32)) for count in sizes} == sizes
