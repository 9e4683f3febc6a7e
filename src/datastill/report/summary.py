"""A run or a distilled set on the terminal."""

from __future__ import annotations

from pathlib import Path

from datastill.artifact import DistilledSet
from datastill.errors import UserError
from datastill.export import write_grid
from datastill.run import Run


def show(path: Path, out: Path | None, columns: int) -> None:
    """Print what a run or a set is and draw its images.

    Args:
        path: A run's folder, a distilled folder or its file.
        out: The picture; None is ``grid.png`` in the set's folder.
        columns: Images of a class in the picture.
    """
    if columns < 1:
        raise UserError(f"the picture needs at least one column, got {columns}")
    distilled = DistilledSet.load(path)
    origin = distilled.origin
    height, width = distilled.images.shape[2:]
    counts = distilled.labels.bincount(minlength=len(origin.class_names)).tolist()
    pixels = distilled.images
    outside = ((distilled.rendered().images - pixels).abs().flatten(1).amax(1) > 0.02).float().mean()
    print(f"{len(distilled)} images of {width}x{height} pixels, {pixels.shape[1]} channel(s), {len(counts)} classes")
    print(f"distilled from {origin.data} (fingerprint {origin.fingerprint}) by {origin.method}")
    print(f"{origin.iterations} iterations, seed {origin.seed}, datastill {origin.version}")
    print(f"values from {pixels.min():.2f} to {pixels.max():.2f} (normalised); {100 * outside:.0f}% of the images lose something in 8 bits")
    if len(counts) <= 20:
        print("per class: " + ", ".join(f"{name} {count}" for name, count in zip(origin.class_names, counts, strict=True)))
    for line in _curve(path):
        print(line)
    folder = path.parent if path.is_file() else path / "distilled" if (path / "distilled").is_dir() else path
    target = out or folder / "grid.png"
    write_grid(distilled, target, columns=columns)
    print(f"picture: {target}")


def _curve(path: Path) -> list[str]:
    if not (path / "config.yaml").exists():
        return []
    metrics = Run(path).metrics()
    lines = [f"validation after {entry['iteration']}: {entry['validation_accuracy']:.2f}%" for entry in metrics if "validation_accuracy" in entry]
    steps = [entry for entry in metrics if "loss" in entry]
    if steps:
        seconds = sum(entry["seconds"] for entry in steps) / len(steps)
        lines.insert(0, f"loss {steps[0]['loss']:.4g} at first, {steps[-1]['loss']:.4g} at last; {seconds:.3g} s an iteration")
    return lines
