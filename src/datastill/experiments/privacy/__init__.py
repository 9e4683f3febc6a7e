"""Privacy: whether networks trained on a set tell which real images it was made from."""

from __future__ import annotations

from datastill.experiments.privacy.inference import Attack, Privacy, membership_inference

__all__ = ["Attack", "Privacy", "membership_inference"]
