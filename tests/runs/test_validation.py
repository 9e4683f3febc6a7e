from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from datastill import DistilledSet, Protocol, UserError
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation import Score, Scorer
from datastill.evaluation.scorer import training_cost
from datastill.files import load_tensors
from datastill.kinds import Canvas, Method, Stepper
from datastill.runs.loggers import Loggers
from datastill.runs.validation import Validation
from doubles import KilledError
from run_folders import interrupted, method, metrics, run
from small_methods import small


def test_validation_without_held_out_images_is_refused_before_anything_is_written(tiny: DataSet, tmp_path: Path) -> None:
    whole = replace(tiny, validation=tiny.train.split(0, "nothing")[1])
    with pytest.raises(UserError, match="has no 'validation' split; it has: train, test"):
        run(whole, tmp_path / "run", validate_at=[4])
    assert not (tmp_path / "run").exists()


def test_validation_on_the_way_changes_no_bit_and_is_done_once(tiny: DataSet, straight: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"seed": 3, "validate_at": [0, 4, 8], "validation_protocol": Protocol(epochs=2)}
    run(tiny, tmp_path / "one", **options)
    with pytest.raises(KilledError):  # iteration 4 is checkpointed and validated
        run(tiny, tmp_path / "two", method=interrupted(method(), 4), checkpoint_seconds=1000, **{**options, "validate_at": [0, 4]})
    run(tiny, tmp_path / "two", resume=True, **options)
    for name in ("one", "two"):
        lines = metrics(tmp_path / name)
        assert [line["iteration"] for line in lines if "validation_accuracy" in line] == [0, 4, 8]
        assert [line for line in lines if "loss" in line] == metrics(straight)
        assert [path.name for path in sorted((tmp_path / name / "snapshots").iterdir())] == [
            f"{iteration:08d}.safetensors" for iteration in (0, 4, 8)
        ]
        assert torch.equal(DistilledSet.load(tmp_path / name).images, DistilledSet.load(straight).images)
    assert metrics(tmp_path / "one") == metrics(tmp_path / "two")


Scored = list[tuple[Tensor, Tensor, dict[str, Any]]]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Scored:
    """Grows by the images, the labels and the options of every set that networks are trained on."""
    sets: Scored = []
    score = Scorer.score

    def watched(scorer: Scorer, images: Tensor, labels: Tensor, *arguments: Any, **options: Any) -> Score:
        sets.append((images, labels, options))
        return score(scorer, images, labels, *arguments, **options)

    monkeypatch.setattr(Scorer, "score", watched)
    return sets


def test_a_partitioned_set_is_validated_by_its_enlarged_parts(tiny: DataSet, tmp_path: Path, scored: Scored) -> None:
    distilled = run(
        tiny, tmp_path / "run", 2, method=small("idm", averaging=0.5), validate_at=[0, 2], validation_protocol=Protocol(epochs=1)
    )
    assert distilled.origin.factor == DistilledSet.load(tmp_path / "run").origin.factor == 2
    assert (len(distilled.images), len(distilled)) == (6, 24)
    (first, _, _), (last, labels, _) = scored
    assert first.shape == last.shape == (24, 3, 8, 8)
    assert torch.equal(last, distilled.expanded()[0])
    assert torch.equal(labels, distilled.expanded()[1])
    assert not torch.equal(first, last)


def test_validations_are_worth_compiling_together(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = Protocol(epochs=5)
    stepper = method().open(tiny, Engine(), 2, 0)
    monkeypatch.setattr("datastill.engine.policy.WORTH_COMPILING", 2.5 * training_cost(tiny, protocol, 6))
    monkeypatch.setattr("datastill.engine.hardware.why_no_compiler", lambda device: "")
    engine = Engine.choose(device="cpu", cost=1)
    two, three = (Validation(tiny, stepper, None, 0, due, protocol, engine, Loggers()).engine for due in ([1, 2], [1, 2, 3]))
    assert (two.compiled, three.compiled) == (False, True)


class LearningSteps(Stepper):
    """Moves images, soft labels and a rate by the same amount every step."""

    def __init__(self) -> None:
        self.moved = 0.0

    def step(self, iteration: int) -> dict[str, float]:
        self.moved += 0.001
        return {"loss": -self.moved}

    def images(self) -> Tensor:
        return torch.full((3, 2, 3, 8, 8), self.moved)

    def canvas(self) -> Canvas:
        labels = torch.eye(3).repeat_interleave(2, 0) * 4 + self.moved
        return Canvas(self.images().flatten(0, 1), labels, "logits", {"learning_rate": 0.01 + self.moved})

    def state(self) -> dict[str, Tensor]:
        return {"moved": torch.tensor(self.moved, dtype=torch.float64)}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.moved = float(state["moved"])


@dataclass(frozen=True)
class Learning(Method):
    """A kind that learns labels and a rate too."""

    kind: ClassVar[str] = "learning"

    name: str = "learning"

    def check(self, data: DataSet, ipc: int) -> None: ...

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        return LearningSteps()

    def cost(self, data: DataSet, ipc: int) -> float:
        return 1.0

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


def test_learned_labels_and_numbers_go_through_run_snapshots_and_validation(tiny: DataSet, tmp_path: Path, scored: Scored) -> None:
    made = run(tiny, tmp_path / "run", 4, method=Learning(), validate_at=[2, 4], validation_protocol=Protocol(epochs=1))
    kept = DistilledSet.load(tmp_path / "run")
    for found in (made, kept):
        assert found.label_kind == "logits"
        assert found.learning_rate == pytest.approx(0.014)
        assert found.hard_labels.tolist() == [0, 0, 1, 1, 2, 2]
        torch.testing.assert_close(found.labels, torch.eye(3).repeat_interleave(2, 0) * 4 + 0.004)
    assert [given["label_kind"] for _, _, given in scored] == ["logits", "logits"]
    assert [given["learned_rate"] for _, _, given in scored] == pytest.approx([0.012, 0.014])
    assert [line["labels"] for line in metrics(tmp_path / "run") if "validation_accuracy" in line] == ["soft", "soft"]
    tensors, _ = load_tensors(tmp_path / "run" / "snapshots" / "00000002.safetensors")
    assert set(tensors) == {"images", "labels", "numbers.learning_rate"}
    assert float(tensors["numbers.learning_rate"]) == pytest.approx(0.012)
