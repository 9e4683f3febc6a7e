"""The dataset card of a distilled folder: what the set is, how it was made, how to load it. Names of others are never markup in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from datastill.data.naming import public_name
from datastill.distilled.hub import Parquet, class_labels
from datastill.distilled.set import Origin, SyntheticImages
from datastill.files import write_atomic
from datastill.labels import HARD, KINDS
from datastill.methods.references import references
from datastill.text import code, counted, escaped

UNKNOWN = "unknown"
"""What the hub calls a licence that nobody has named."""
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (1e8, "10M<n<100M"),
)
"""The hub's categories of the number of images, by what they stay below."""


@dataclass(frozen=True)
class Published:
    """What the card of a set on the hub says that its folder does not know.

    Attributes:
        name: OWNER/NAME.
        licence: Its identifier there.
        score: What it is worth, as lines of Markdown.
    """

    name: str
    licence: str
    score: Sequence[str]


def write_card(distilled: SyntheticImages, parquet: Parquet, target: Path, published: Published | None = None) -> None:
    """Write a dataset card.

    Args:
        distilled: The set.
        parquet: The file that it describes; see `datastill.distilled.hub.write_parquet` for why it names it exactly.
        target: The card.
        published: For a set that is sent to the hub.
    """
    licence = published.licence if published else UNKNOWN
    metadata = yaml.dump(_metadata(distilled, parquet, licence), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    metadata = "\n".join(
        map(escaped, metadata.split("\n"))
    )  # what yaml leaves as it is stands between double quotes, where this is its escape
    write_atomic(target, f"---\n{metadata}---\n" + "\n".join([*_page(distilled, published), ""]))


def facts(distilled: SyntheticImages) -> list[str]:
    """What the set is and how it was made, as lines of Markdown."""
    origin = distilled.origin
    height, width = distilled.images.shape[2:]
    learned = "" if distilled.track == HARD else f" ({distilled.label_kind}: {KINDS[distilled.label_kind]})"
    rows = {
        "chosen from" if origin.real else "distilled from": f"{code(public_name(origin.data))} (fingerprint {code(origin.fingerprint)})",
        "method": code(origin.method),
        "iterations": origin.iterations,
        "seed": origin.seed,
        "partition factor": origin.factor,
        "labels": f"{distilled.track}{learned}",
        **{f"{key.replace('_', ' ')}, learned": f"{value:.6g}" for key, value in distilled.numbers.items()},
        **_normalisation(origin),
        "made by": f"datastill {code(origin.version or 'unknown')}",
    }
    return [
        f"{len(distilled.images)} {kind_of_images(origin)} of {len(origin.class_names)} classes, {width}x{height} pixels, "
        f"{counted(distilled.images.shape[1], 'channel')}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
    ]


def _normalisation(origin: Origin) -> dict[str, str]:
    """What stands between pixels and the images of a set, by name."""
    if origin.whitening:
        known = origin.whitening
        return {"whitened": f"ZCA, epsilon {known.epsilon:g}, by the images of fingerprint {code(known.images)}"}
    return {"mean": numbers(origin.mean), "standard deviation": numbers(origin.std)}


def title(origin: Origin) -> str:
    """The heading of a page about a set."""
    verb = "chosen" if origin.real else "distilled"
    return f"# {code(public_name(origin.data))} {verb} by {code(origin.method)}"


def kind_of_images(origin: Origin) -> str:
    """Whether images are synthetic, where that is known."""
    return {True: "real images", False: "synthetic images", None: "images"}[origin.real]


def rendering(distilled: SyntheticImages) -> str:
    """What 8 bits lose of a set, in a sentence."""
    if not distilled.clipped:
        return "8 bits hold every value of the set, rounded."
    unit = "after whitening" if distilled.origin.whitening else "standard deviations"
    return (
        f"{percent(distilled.clipped)} of the values lie outside what 8 bits hold and are clipped, which changes a value by "
        f"{distilled.loss_of_rendering:.2f} {unit} (root mean square)."
    )


def percent(share: float) -> str:
    """A share in percent, never 0 or 100 unless it is.

    Example:
        >>> percent(0.684), percent(0.0004), percent(0.9999), percent(0.0)
        ('68%', 'less than 1%', 'more than 99%', '0%')
    """
    if 0 < share < 0.01:
        return "less than 1%"
    return "more than 99%" if 0.99 < share < 1 else f"{100 * share:.0f}%"


def cited(origin: Origin) -> list[str]:
    """The section with the papers to cite."""
    found = references(origin.method)
    papers = [f"- {text.removesuffix(f'arXiv:{number}')}[arXiv:{number}](https://arxiv.org/abs/{number})" for number, text in found.items()]
    return ["## Citation", "", *papers, *([""] if papers else []), "Cite the data set that the images come from as its authors ask.", ""]


def numbers(values: tuple[float, ...]) -> str:
    """A few numbers in brackets."""
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


def _loading(published: Published | None) -> list[str]:
    """How to load the set."""
    fetch = published.name if published else "OWNER/NAME"
    by_name = [
        "```python",
        "import datastill",
        "",
        f'distilled = datastill.load_set("hub:{fetch}")  # float images: distilled.images, distilled.labels',
        "```",
        "",
        f"`datastill evaluate hub:{fetch}` measures it again. The 8-bit images alone, without this package: "
        f'`datasets.load_dataset("{fetch}", split="train")`.',
        "",
    ]
    if published:
        return by_name
    return [
        "Run this in the folder that holds this file. From the hub, fetch the folder first: "
        "`hf download OWNER/NAME --repo-type dataset --local-dir NAME`.",
        "",
        "```python",
        "from pathlib import Path",
        "",
        "from datasets import load_dataset",
        "from datastill import DistilledSet",
        "",
        "distilled = DistilledSet.load(Path.cwd())  # float images: distilled.images, distilled.labels",
        'rendered = load_dataset(str(Path.cwd()), split="train")  # 8-bit images',
        "```",
        "",
    ]


def _page(distilled: SyntheticImages, published: Published | None) -> list[str]:
    origin = distilled.origin
    normalised = "whitened as networks are given them" if origin.whitening else "normalised by (pixel - mean) / std"
    soft = "" if distilled.track == HARD else " `label` is the class with the largest value, `soft_label` has every value."
    parts = [
        f"Every image is a grid of {origin.factor}x{origin.factor} parts, and networks are trained on the parts, each enlarged to the "
        f"whole size: `distilled.expanded()` gives those {len(distilled)} images and their labels.",
        "",
    ]
    return [
        title(origin),
        "",
        *facts(distilled),
        f"`images.safetensors` is the truth: float images, {normalised}, and labels. `data/` holds an 8-bit "
        f"rendering, which `datasets.load_dataset` reads. {rendering(distilled)}{soft}",
        "",
        *(parts if origin.factor > 1 else []),
        *(["## Score", "", *published.score, ""] if published else []),
        "## Load it",
        "",
        *_loading(published),
        "![the images, one row per class](grid.png)",
        "",
        "## Licence",
        "",
        _licence(published),
        "",
        *cited(origin),
    ]


def _licence(published: Published | None) -> str:
    """What is known of the licence, in a line."""
    if published and published.licence != UNKNOWN:
        return f"{code(published.licence)}, as whoever published this set says. What the images come from may ask for more."
    return "The licence is not known to the program that wrote this. What the images come from has one: put it into `license` at the top."


def _metadata(distilled: SyntheticImages, parquet: Parquet, licence: str) -> dict[str, Any]:
    """What the hub reads at the top of the card."""
    labels = {str(label): name for label, name in enumerate(class_labels(distilled.origin.class_names))}
    features: list[dict[str, Any]] = [{"name": "image", "dtype": "image"}, {"name": "label", "dtype": {"class_label": {"names": labels}}}]
    soft = [] if distilled.track == HARD else [{"name": "soft_label", "sequence": "float32"}]
    real = distilled.origin.real
    return {
        "pretty_name": escaped(f"{public_name(distilled.origin.data)}, {distilled.origin.method}"),
        "license": licence,
        "task_categories": ["image-classification"],
        "size_categories": [next((name for bound, name in SIZES if parquet.rows < bound), "n>1B")],
        "tags": ["datastill", *(["coreset"] if real else ["dataset-distillation"]), *(["synthetic"] if real is False else [])],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": parquet.path}]}],
        "dataset_info": {
            "features": [*features, *soft],
            "splits": [{"name": "train", "num_bytes": parquet.unpacked, "num_examples": parquet.rows}],
            "download_size": parquet.bytes,
            "dataset_size": parquet.unpacked,
        },
    }


class _Dumper(yaml.SafeDumper):
    """Writes text with control characters or line breaks between double quotes, on one line: nothing in it ends the block."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if text.isprintable() and text.strip("-") else '"')


_Dumper.add_representer(str, _quoted)
