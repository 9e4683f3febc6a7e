"""A set as torchvision's ImageFolder reads it: 8-bit PNGs by class, with what a training needs to know beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from datastill.data.image_folder import NORMALISATION, WHITENING, folder_names, png, write_normalisation
from datastill.distilled.card import cited, facts, rendering, title
from datastill.distilled.set import SyntheticImages
from datastill.errors import UserError
from datastill.files import new_folder, write_atomic
from datastill.labels import HARD
from datastill.logs import logger
from datastill.text import code

log = logger(__name__)

LABELS = "labels.json"
"""Soft labels and learned numbers beside the folders of the classes."""


def write_folder(distilled: SyntheticImages, target: Path) -> None:
    """Write ``CLASS/0000.png`` so that torchvision's ImageFolder reads the same labels: its sorted names keep the classes' order.

    An image with a soft label is in the folder of the class with the largest value; ``labels.json`` beside the folders has every value.
    ``normalisation.json`` has mean and standard deviation (of a whitened set ``whitening.safetensors`` the matrix), and ``README.md`` says
    what was lost and how to train.

    Raises:
        UserError: If a class has no image: ImageFolder refuses an empty folder, and without it would number the others differently.
    """
    class_names = distilled.origin.class_names
    if empty := [name for name, rows in zip(class_names, distilled.rows_by_class(), strict=True) if not rows]:
        raise UserError(
            f"the set has no image of the class '{empty[0]}', which ImageFolder cannot read; export it with `format=dc` or `format=parquet`"
        )
    folders = folder_names(class_names)
    soft: dict[str, list[float]] = {}
    with new_folder(target) as built:
        for name, rows in zip(folders, distilled.rows_by_class(), strict=True):
            for number, row in enumerate(rows):
                write_atomic(built / name / f"{number:04d}.png", png(distilled.pixels[row]))
                if distilled.track != HARD:
                    soft[f"{name}/{number:04d}.png"] = distilled.labels[row].tolist()
        constants = write_normalisation(distilled.origin.normalisation, built)
        if soft or distilled.numbers:
            kind = {"kind": distilled.label_kind, "class_names": list(class_names)}
            write_atomic(built / LABELS, json.dumps({**kind, "numbers": dict(distilled.numbers), "labels": soft}, indent=1) + "\n")
        write_atomic(built / "README.md", "\n".join(_page(distilled, folders, constants)) + "\n")
    if soft or distilled.numbers:
        log.warning("ImageFolder reads one class per image; soft labels and learned numbers are only in %s", target / LABELS)


def _page(distilled: SyntheticImages, folders: Sequence[str], constants: str) -> list[str]:
    """What is in the folder, what 8 bits lost, and how to train on it."""
    origin = distilled.origin
    named = [f"| {code(folder)} | {code(name)} |" for folder, name in zip(folders, origin.class_names, strict=True)]
    renamed = ["| folder | class |", "|---|---|", *named, ""] if list(folders) != list(origin.class_names) else []
    soft = [f"`{LABELS}` has the soft labels and learned numbers, which `ImageFolder` does not read.", ""]
    return [
        title(origin),
        "",
        *facts(distilled),
        f"PNG files, one folder per class. {rendering(distilled)}",
        "",
        f"{constants} {'Whiten' if origin.whitening else 'Normalise'} all images with them, test images too.",
        "",
        *renamed,
        *(soft if distilled.track != HARD or distilled.numbers else []),
        "## Train on it",
        "",
        "An epoch of so few images has few steps, so train for many epochs. Batch norm keeps the mean and the deviation of features of the "
        "distilled images, which are not those of real images; group norm keeps none. This trains a ResNet18 of torchvision from scratch:",
        "",
        "```python",
        recipe(distilled),
        "```",
        "",
        *cited(origin),
    ]


def recipe(distilled: SyntheticImages) -> str:
    """A training that the folder of a set is good for, as a program in Python."""
    height, width = distilled.images.shape[2:]
    flip = "v2.RandomHorizontalFlip(), " if distilled.origin.flip else ""
    whitened = distilled.origin.whitening is not None
    imports = "" if whitened else "import json\nfrom pathlib import Path\n\n"
    reader = "from safetensors.torch import load_file\n" if whitened else ""
    reading = f'load_file("{WHITENING}")' if whitened else f'json.loads(Path("{NORMALISATION}").read_text())'
    last = "v2.LinearTransformation(**constants)" if whitened else "v2.Normalize(**constants)"
    if whitened and distilled.images.shape[1] == 1:  # ImageFolder gives three equal channels, and the network takes three
        last = f"v2.Grayscale(), {last}, v2.Grayscale(3)"
    return f"""{imports}import torch
{reader}from torch.nn import GroupNorm
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms import v2

constants = {reading}
plain = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), {last}])  # for images of a test, too
augmented = v2.Compose([v2.RandomCrop(({height}, {width}), padding={max(1, min(height, width) // 8)}), {flip}plain])


def train(epochs=300, seed=0, norm_layer=lambda channels: GroupNorm(32, channels)):
    torch.manual_seed(seed)
    images = ImageFolder(".", augmented)
    loader = DataLoader(images, batch_size=min(64, len(images)), shuffle=True, drop_last=True)
    network = resnet18(num_classes={len(distilled.origin.class_names)}, norm_layer=norm_layer)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch, labels in loader:
            optimizer.zero_grad()
            cross_entropy(network(batch), labels).backward()
            optimizer.step()
        schedule.step()
    return network.eval()"""
