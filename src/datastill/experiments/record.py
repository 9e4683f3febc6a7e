"""What a cell leaves behind: one file of typed figures, from which every table, curve and page is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datastill.experiments.cell import Cell, ContinualCell, TeacherCell
from datastill.labels import HARD, track
from datastill.teachers.stored import Epoch

RECORD = "record.json"


@dataclass(frozen=True)
class Maker:
    """How one half of a cell, distilling or evaluating, was run.

    Attributes:
        precision: "fp32" or "bf16"; "" if it was not recorded, or where no network ran.
        compiled: Whether the networks were compiled; None as above.
        device: Where they ran; "" as above.
        processor: Its name.
        cores: Of it.
        torch: The version.
        commits: Those of this program that took part, the first one first.
    """

    precision: str
    compiled: bool | None
    device: str
    processor: str
    cores: int
    torch: str
    commits: tuple[str, ...]

    @classmethod
    def of(cls, engine: Mapping[str, Any], machine: Mapping[str, Any], commits: tuple[str, ...]) -> Maker:
        """Take what `Engine.describe` and `datastill.provenance.machine` say."""
        return cls(
            engine.get("precision", ""), engine.get("compiled"), engine.get("device", ""),
            machine["processor"], machine["cores"], machine["torch"], commits,
        )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What networks trained on one set reach.

    Attributes:
        accuracies: Top-1 in percent of every network.
        confusion: ``true predicted``, images summed over the networks.
    """

    accuracies: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Point:
    """One point of a run's curve."""

    iteration: int
    validation_accuracy: float


@dataclass(frozen=True)
class Record:
    """A set that was distilled and evaluated.

    Attributes:
        cell: What was asked for.
        fingerprint: Of the training split.
        class_names: One per class.
        train: Real images that were distilled from.
        images: Images of the set.
        trained_on: Images that the networks were trained on, the parts of stored images counted.
        method: The method's description, as in the run's ``config.yaml``; empty for a random subset.
        encoders: Checksums of the pretrained networks that the steps read, by name.
        seconds_per_step: The median; None without steps.
        teacher_seconds: How long the training of those networks took; 0 without any, None if it was not recorded.
        curve: Accuracies on the validation split during the run.
        score: Of the set.
        comparisons: Of what it is compared with, by the names of `datastill.evaluation.COMPARISONS`.
        evaluation_epochs: Epochs of the networks, as the protocol resolved them.
        distilled_by: How the set was distilled.
        evaluated_by: How it was evaluated.
        label_kind: What the set's labels are, one of `datastill.labels.KINDS`.
        learned_rate: The learned learning rate that the networks were trained with; None for the protocol's.
        packed: How the set is kept beside the record, and was evaluated, of `datastill.distilled.packed.FORMS`; "" where it is not.
    """

    cell: Cell
    fingerprint: str
    class_names: tuple[str, ...]
    train: int
    images: int
    trained_on: int
    method: dict[str, Any]
    encoders: dict[str, str]
    seconds_per_step: float | None
    teacher_seconds: float | None
    curve: tuple[Point, ...]
    score: Found
    comparisons: dict[str, Found]
    evaluation_epochs: int
    distilled_by: Maker
    evaluated_by: Maker
    label_kind: str = HARD
    learned_rate: float | None = None
    packed: str = ""

    @property
    def track(self) -> str:
        """Whether the set's labels are "hard" or "soft"."""
        return track(self.label_kind)

    def __post_init__(self) -> None:
        for found in self.found:
            _check_found(found, self.cell.repeats, len(self.class_names))

    @property
    def found(self) -> tuple[Found, ...]:
        """All that was measured."""
        return (self.score, *self.comparisons.values())


@dataclass(frozen=True)
class TeacherRecord:
    """A network that was trained on the real images.

    Attributes:
        cell: What was asked for.
        train: Real images that it was trained on.
        held_out: Real images that it was measured on.
        batch: Images per step, as the recipe and the data set resolved it.
        half_size_epochs: Epochs of images of half the side.
        cost: Floating-point operations of its training.
        curve: What it had reached after every epoch.
        trained_by: How it was trained.
    """

    cell: TeacherCell
    train: int
    held_out: int
    batch: int
    half_size_epochs: int
    cost: float
    curve: tuple[Epoch, ...]
    trained_by: Maker

    def __post_init__(self) -> None:
        if len(self.curve) != self.cell.recipe.epochs:
            raise ValueError(f"expected {self.cell.recipe.epochs} epochs, got {len(self.curve)}")


@dataclass(frozen=True)
class StageRecord:
    """What was reached when a step's classes had joined the memory.

    Attributes:
        classes: How many had come until then.
        images: Of the memory.
        trained_on: Images that the networks were trained on, the parts of stored images counted.
        seconds_per_step: The median, of distilling the new classes; None without steps.
        score: On the classes seen, in the order in which they came.
    """

    classes: int
    images: int
    trained_on: int
    seconds_per_step: float | None
    score: Found


@dataclass(frozen=True)
class ContinualRecord:
    """Classes that were learned in steps from a memory.

    Attributes:
        cell: What was asked for.
        fingerprint: Of the training split of all classes.
        class_names: In the order in which they came.
        train: Real images of all classes.
        method: The method's description in the first step.
        stages: One for every step.
        evaluation_epochs: Epochs of the networks.
        distilled_by: How the sets were distilled.
        evaluated_by: How they were evaluated.
    """

    cell: ContinualCell
    fingerprint: str
    class_names: tuple[str, ...]
    train: int
    method: dict[str, Any]
    stages: tuple[StageRecord, ...]
    evaluation_epochs: int
    distilled_by: Maker
    evaluated_by: Maker

    def __post_init__(self) -> None:
        seen = [stage.classes for stage in self.stages]
        if len(seen) != self.cell.steps or sorted(set(seen)) != seen or seen[-1] != len(self.class_names):
            raise ValueError(f"expected {self.cell.steps} steps up to {len(self.class_names)} classes, got {seen}")
        for stage in self.stages:
            _check_found(stage.score, self.cell.repeats, stage.classes)

    @property
    def found(self) -> tuple[Found, ...]:
        """All that was measured."""
        return tuple(stage.score for stage in self.stages)


def _check_found(found: Found, repeats: int, classes: int) -> None:
    if len(found.accuracies) != repeats or any(not 0 <= value <= 100 for value in found.accuracies):
        raise ValueError(f"expected {repeats} accuracies in percent, got {found.accuracies}")
    if len(found.confusion) != classes or any(len(row) != classes for row in found.confusion):
        raise ValueError(f"expected a confusion matrix of {classes} classes")


AnyRecordOf = Record | TeacherRecord | ContinualRecord
