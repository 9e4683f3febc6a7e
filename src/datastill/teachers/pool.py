"""Where pretrained networks are kept, which of them there are, and what training one of them takes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from datastill.data import DataSet, cache_folder
from datastill.engine.cost import forward_cost
from datastill.networks import Network
from datastill.teachers.recipe import TrainingRecipe
from datastill.teachers.snapshots import TYPES, Snapshots
from datastill.teachers.stored import Member, PretrainedNetwork

HALF_SIZE_WORK = 0.25
"""What an image of half the side costs, compared with a whole one."""


def measured_on(data: DataSet) -> str:
    """What the accuracy of a pretrained network is measured on, in words: the validation split, if there is one."""
    if len(data.validation):
        return f"the {len(data.validation)} images of the validation split"
    return f"the {len(data.train)} images of the training split, as none are held out"


def networks_folder(cache: Path | None = None) -> Path:
    """Where all pools are kept."""
    return (cache or cache_folder()) / "networks"


def pool_folder(data: DataSet, network: str, recipe: TrainingRecipe, cache: Path | None = None) -> Path:
    """Where the pool of one data set, network and recipe is kept; the same images with another normalisation or mirroring have another."""
    seen = hashlib.blake2b(repr((*data.normalisation.key, data.flip)).encode(), digest_size=4).hexdigest()
    return networks_folder(cache) / f"{data.fingerprint}-{seen}" / f"{network}-{recipe.epochs}epochs-{recipe.key()}"


def continuing(data: DataSet, network: str, recipe: TrainingRecipe, cache: Path | None = None) -> list[TrainingRecipe]:
    """The recipes with a pool that continue one after its end (see `TrainingRecipe.extended`), the shortest first."""
    folder = pool_folder(data, network, recipe, cache)
    lengths = [re.fullmatch(rf"{re.escape(network)}-(\d+)epochs-\w+", path.name) for path in folder.parent.glob("*epochs-*")]
    extended = [recipe.extended(epochs) for epochs in sorted({int(each[1]) for each in lengths if each})]
    return [each for each in extended if each and pool_folder(data, network, each, cache).is_dir()]


def lacking(folder: Path, count: int) -> list[tuple[int, Path]]:
    """The networks that a pool lacks, by their numbers."""
    paths = [(index, folder / f"{index}.safetensors") for index in range(count)]
    return [(index, path) for index, path in paths if not path.exists()]


def found(data: DataSet, network: str, count: int, recipe: TrainingRecipe, *, cache: Path | None = None) -> list[PretrainedNetwork]:
    """What is there of a pool, in order (see `pretrain`)."""
    folder = pool_folder(data, network, recipe, cache)
    paths = {index: folder / f"{index}.safetensors" for index in range(count)}
    return [Member(data, network, recipe, index).read(path) for index, path in paths.items() if path.exists()]


def pretraining_cost(data: DataSet, network: Network, recipe: TrainingRecipe) -> float:
    """Floating-point operations that training one network takes."""
    equivalent = recipe.epochs - (1 - HALF_SIZE_WORK) * half_size_epochs(data, network, recipe)
    passes = 2 if recipe.sharpness else 1
    return 3 * passes * forward_cost(network) * len(data.train) * equivalent


def batch_size(data: DataSet, recipe: TrainingRecipe) -> int:
    """The recipe's batch, or a smaller one if a small data set would get too few steps per epoch to learn from."""
    return min(recipe.batch, max(16, len(data.train) // 64))


def half_size_epochs(data: DataSet, network: Network, recipe: TrainingRecipe) -> int:
    """How many of the recipe's epochs see images of half the side; never the last one."""
    suitable = network.resizable and min(data.size) >= 32
    return min(round(recipe.half_size * recipe.epochs), recipe.epochs - 1) if suitable else 0


def moments_of(data: DataSet, recipe: TrainingRecipe, snapshots: Snapshots) -> tuple[int, ...]:
    """The steps after which a run on a data set is kept."""
    return snapshots.moments(recipe.epochs, steps_of_epoch(data, recipe))


def steps_of_epoch(data: DataSet, recipe: TrainingRecipe) -> int:
    """Steps of an epoch of a recipe on a data set."""
    return max(1, len(data.train) // batch_size(data, recipe))


def bytes_of_run(data: DataSet, network: str, recipe: TrainingRecipe, snapshots: Snapshots) -> int:
    """Bytes that the snapshots of one run take."""
    weights = sum(value.numel() for value in Member(data, network, recipe).weights().values())
    return weights * TYPES[snapshots.type].itemsize * len(moments_of(data, recipe, snapshots))
