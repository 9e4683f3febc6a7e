"""Encoders: where the features that terms read come from."""

from __future__ import annotations

from datastill.encoders.encoder import Encoder, Session
from datastill.encoders.fresh import FreshNetwork
from datastill.encoders.growing import GrowingNetwork
from datastill.encoders.pretrained import PretrainedPool
from datastill.encoders.queue import NetworkQueue
from datastill.encoders.trajectory import TrajectoryNetwork
from datastill.teachers.pretraining import pretrain
from datastill.teachers.recipe import RECIPES, TrainingRecipe, recipe
from datastill.teachers.snapshots import Snapshots
from datastill.teachers.stored import Epoch, PretrainedNetwork

__all__ = [
    "RECIPES",
    "Encoder",
    "Epoch",
    "FreshNetwork",
    "GrowingNetwork",
    "NetworkQueue",
    "PretrainedNetwork",
    "PretrainedPool",
    "Session",
    "Snapshots",
    "TrainingRecipe",
    "TrajectoryNetwork",
    "pretrain",
    "recipe",
]
