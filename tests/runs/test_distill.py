from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from datastill import DistilledSet, UserError, distill
from datastill.data import DataSet
from datastill.encoders import PretrainedPool, TrainingRecipe
from datastill.engine import Engine
from datastill.files import load_tensors, save_tensors
from datastill.methods import DistributionMatching
from run_folders import ITERATIONS, assert_same_run, checkpoints, config, method, metrics, run
from small_methods import matching


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_leaves_everything_that_is_needed_to_repeat_it(tiny: DataSet, straight: Path) -> None:
    assert {path.name for path in straight.iterdir()} == {"config.yaml", "metrics.jsonl", "checkpoint", "previews", "distilled"}
    found = config(straight)
    assert (found["ipc"], found["seed"], found["iterations"]) == (2, 3, ITERATIONS)
    assert found["data"] == {
        "name": "tiny", "fingerprint": "0123456789abcdef", "train": 36, "validation": 6, "held_out": 0.0,
        "mean": [0.3, 0.35, 0.4], "std": [0.2, 0.25, 0.3],
    }  # fmt: skip
    assert (found["method"]["name"], found["method"]["real_batch"]) == ("dm+cm", 6)
    assert found["method"]["terms"]["cm"]["weight"] == 0.01
    assert {"device": "cpu", "precision": "fp32", "compiled": False}.items() <= found["engine"].items()
    assert {"micro_batch", "in_flight"} <= set(found["engine"])
    assert {"datastill", "commit", "machine"} <= set(found["made_by"])
    lines = metrics(straight)
    assert [line["iteration"] for line in lines] == list(range(1, ITERATIONS + 1))
    assert all(set(line) == {"iteration", "loss", "mm", "cm"} for line in lines)
    assert [path.name for path in checkpoints(straight)] == ["00000007.safetensors", "00000008.safetensors"]
    distilled = DistilledSet.load(straight)
    assert distilled.images.shape == (6, 3, 8, 8)
    assert distilled.labels.tolist() == [0, 0, 1, 1, 2, 2]
    origin = distilled.origin
    assert (origin.data, origin.method, origin.seed, origin.iterations) == ("tiny", "dm+cm", 3, ITERATIONS)
    assert (origin.class_names, origin.mean, origin.flip) == (tiny.class_names, tiny.mean, True)


def test_the_last_checkpoint_holds_the_pixels_of_the_set(straight: Path) -> None:
    pixels = load_tensors(checkpoints(straight)[-1])[0]["pixels"]
    assert torch.equal(pixels.flatten(0, 1), DistilledSet.load(straight).images)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tiny: DataSet, straight: Path, tmp_path: Path) -> None:
    kept = DistilledSet.load(straight).images
    again = run(tiny, tmp_path / "again", seed=3)
    assert torch.equal(again.images, kept)
    assert_same_run(tmp_path / "again", straight)
    assert torch.equal(run(tiny, None, seed=3).images, kept)  # nor does it matter whether anything is kept
    other = run(tiny, None, seed=4).images
    assert not torch.equal(other, kept)


def test_the_pixels_move_and_stay_apart_from_the_data(tiny: DataSet) -> None:
    start, end = run(tiny, None, 1).images, run(tiny, None, 5).images
    assert not torch.allclose(start, end, atol=1e-3)
    assert tiny.train.storage.dtype == torch.uint8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 5}, "seed was 3, is 5"),
        ({"ipc": 3}, "ipc was 2, is 3"),
        ({"method": method("dm")}, "method.name was dm.cm, is dm"),
        ({"method": method(real_batch=5)}, "method.real_batch was 6, is 5"),
        ({"engine": Engine(micro_batch=32)}, "engine.micro_batch was None, is 32"),
    ],
)
def test_another_configuration_is_refused_naming_the_difference(tiny: DataSet, straight: Path, options: dict[str, Any], said: str) -> None:
    before = contents(straight)
    with pytest.raises(UserError, match=f"holds a run with another configuration .*{said}.*choose another `out`"):
        run(tiny, straight, **{"seed": 3, **options}, resume=True)
    assert contents(straight) == before


def test_another_data_set_is_refused(tiny: DataSet, straight: Path) -> None:
    with pytest.raises(UserError, match=r"data.fingerprint was 0123456789abcdef, is fedcba9876543210"):
        run(replace(tiny, fingerprint="fedcba9876543210"), straight, seed=3, resume=True)


def test_a_run_is_not_overwritten_by_accident(tiny: DataSet, straight: Path) -> None:
    before = contents(straight)
    with pytest.raises(UserError, match="already holds a run: continue it with `resume=True`, or choose another `out`"):
        run(tiny, straight, seed=3)
    assert contents(straight) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ipc": 0}, "`ipc` must be a whole number of at least 1, got 0"),
        ({"iterations": 0}, "`iterations` must be a whole number of at least 1, got 0"),
        ({"validate_at": [3, 9]}, "validation at iteration 9 is not within the run's 0 to 8 iterations"),
        ({"validate_at": [-1]}, "`validate_at` must be a whole number of at least 0, got -1"),
        ({"settings": ["real_batch=3"]}, "settings would change a method given by name"),
        ({"preset": "fast"}, "the preset 'fast' would change a method given by name"),
        ({"ipc": 1}, "the term 'cm' needs at least 2 images per class"),
        ({"ipc": 13}, "the class 'left' has 12 training images, fewer than IPC 13"),
        ({"method": method("m3d", real_batch=1)}, "'km' needs at least 2 real images per class and step, but the real batch is 1"),
        ({"method": method("cafe", views=2)}, "cafe does not augment, so the 2 views of an image would all be the same"),
        ({"method": method("idm+dl")}, "'dl' compares classes with each other, but idm.dl steps after each class"),
        ({"method": DistributionMatching("bare")}, "bare has no terms"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(tiny: DataSet, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(tiny, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_the_checksums_of_pretrained_networks_are_bound_to_the_run(tiny: DataSet, tmp_path: Path, cache: Path) -> None:
    pool = PretrainedPool("convnet", recipe=TrainingRecipe(epochs=1))
    composed = matching("dm+cc")
    composed = replace(composed, encoders={**composed.encoders, "pretrained": pool})
    run(tiny, tmp_path / "run", 2, method=composed)
    (bound,) = config(tmp_path / "run")["encoders"].items()
    (weights,) = cache.rglob("0.safetensors")
    tensors, _ = load_tensors(weights)
    assert bound[0] == "pretrained 0"
    weights.unlink()  # trained again, the same network comes out
    run(tiny, tmp_path / "run", 3, method=composed, resume=True)
    save_tensors(weights, {name: tensor + 0.1 for name, tensor in tensors.items()}, {"accuracy": "50", "seconds": "1"})
    with pytest.raises(UserError, match=r"started with other encoders .*pretrained 0.*restore them, or choose another `out`"):
        run(tiny, tmp_path / "run", 4, method=composed, resume=True)


def test_a_taken_folder_is_refused_before_data_is_read(straight: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="already holds a run"):
        distill(f"folder:{tmp_path / 'absent'}", method="dm", ipc=1, out=straight)
