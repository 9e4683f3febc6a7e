"""Rehearsals: the same table with a fraction of its budget, under another name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from datastill.errors import UserError
from datastill.experiments.application import ApplicationExperiment
from datastill.experiments.continual.specification import ContinualExperiment, ContinualRow
from datastill.experiments.specification import AnyExperiment, Block, Row, Specifications, TeacherExperiment


def scaled(name: str, experiments: Specifications, factor: float) -> tuple[str, Specifications]:
    """Shrink an experiment, and those whose sets it evaluates.

    Iterations, epochs of networks trained on sets, networks and seeds become that fraction of what they are, at least one of each, and
    points of curves move with the iterations. So do the architectures of a search, and the sets and images of an attack, as far as it can
    still be made. Methods, and the networks that they read, stay as they are, and so do real images elsewhere. Titles say so,
    published numbers are left out, as nothing is comparable with them, and names end in the factor, so that records, pages and
    runs have other folders. What is asked to be compiled is compiled only if its smaller jobs are worth it.

    Args:
        name: Of the experiment.
        experiments: By name.
        factor: Above 0 and below 1.

    Returns:
        The name of the rehearsal, and all rehearsals by name.

    Raises:
        UserError: If the factor is none.
    """
    if not 0 < factor < 1:
        raise UserError(f"a rehearsal has a scale above 0 and below 1, got `scale={factor:g}`")
    ending = f"-scale{factor:g}"
    smaller = {f"{each}{ending}": _lighter(_experiment(experiment, factor, ending)) for each, experiment in experiments.items()}
    return f"{name}{ending}", smaller


def _lighter(experiment: AnyExperiment) -> AnyExperiment:
    """Leave open whether it is compiled, which takes longer than most rehearsals."""
    return replace(experiment, policy=replace(experiment.policy, compile=None)) if experiment.policy.compile else experiment


def _experiment(experiment: AnyExperiment, factor: float, ending: str) -> AnyExperiment:
    title = f"Rehearsal at scale {factor:g}, not a result: {experiment.title}"
    if isinstance(experiment, TeacherExperiment):
        recipes = {name: replace(recipe, epochs=_less(recipe.epochs, factor)) for name, recipe in experiment.recipes.items()}
        return replace(experiment, title=title, recipes=recipes)
    if isinstance(experiment, ApplicationExperiment):
        return experiment.rehearsal(title, factor)
    if isinstance(experiment, ContinualExperiment):
        return replace(
            experiment,
            title=title,
            rows=tuple(_continual_row(row, factor) for row in experiment.rows),
            iterations=_less(experiment.iterations, factor),
            seeds=experiment.seeds[: _less(len(experiment.seeds), factor)],
            repeats=_less(experiment.repeats, factor),
            protocol=replace(experiment.protocol, epochs=_less(experiment.protocol.passes, factor)),
        )
    return replace(
        experiment,
        title=title,
        blocks=tuple(_block(block, factor) for block in experiment.blocks),
        rows=tuple(_row(row, factor, ending) for row in experiment.rows),
        protocol=replace(experiment.protocol, epochs=_less(experiment.protocol.passes, factor)),
    )


def _block(block: Block, factor: float) -> Block:
    return replace(
        block,
        iterations=_less(block.iterations, factor),
        seeds=block.seeds[: _less(len(block.seeds), factor)],
        validate_at=_points(block.validate_at, factor),
        validation_epochs=_less(block.validation_epochs, factor),
        repeats=_less(block.repeats, factor),
        epochs=None if block.epochs is None else _less(block.epochs, factor),
    )


def _row(row: Row, factor: float, ending: str) -> Row:
    experiment, slash, origin = row.of.partition("/")
    return replace(
        row,
        paper=None,
        iterations=_steps(row.iterations, factor),
        validate_at=_points(row.validate_at, factor),
        of=f"{experiment}{ending}{slash}{origin}" if row.of else "",
    )


def _continual_row(row: ContinualRow, factor: float) -> ContinualRow:
    return replace(row, iterations=row.iterations and _less(row.iterations, factor))


def _steps(iterations: int | Mapping[int, int] | None, factor: float) -> int | Mapping[int, int] | None:
    if isinstance(iterations, Mapping):
        return {ipc: _less(steps, factor) for ipc, steps in iterations.items()}
    return iterations and _less(iterations, factor)


def _less(number: int, factor: float) -> int:
    return max(1, round(number * factor))


def _points(iterations: tuple[int, ...], factor: float) -> tuple[int, ...]:
    """Points of a curve, each once; the first images stay the first."""
    return tuple(dict.fromkeys(_less(at, factor) if at else 0 for at in iterations))
