"""Teachers: networks that are trained on the real images and kept."""

from __future__ import annotations

from datastill.teachers.pretraining import pretrain
from datastill.teachers.recipe import RECIPES, TrainingRecipe
from datastill.teachers.snapshots import Snapshots
from datastill.teachers.stored import Epoch, PretrainedNetwork
from datastill.teachers.trajectories import Trajectory, trajectories

__all__ = ["RECIPES", "Epoch", "PretrainedNetwork", "Snapshots", "TrainingRecipe", "Trajectory", "pretrain", "trajectories"]
