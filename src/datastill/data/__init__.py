"""Data sets: one grammar to name them, uint8 images class after class to hold them."""

from __future__ import annotations

from datastill.data.catalogue import CATALOGUE, Source, known_size, parse
from datastill.data.data_set import DataSet
from datastill.data.images import ClassImages
from datastill.data.loading import load
from datastill.data.normalisation import Normalisation, PerChannel
from datastill.data.storage import cache_folder

__all__ = ["CATALOGUE", "ClassImages", "DataSet", "Normalisation", "PerChannel", "Source", "cache_folder", "known_size", "load", "parse"]
