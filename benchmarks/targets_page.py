"""The page about kept targets, from ``measurements.json`` and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from datastill.files import write_atomic
from datastill.report.markdown import table

HEAD = ["method", "IPC", "s/step, fresh", "s/step, kept", "times as fast", "s to compute one", "MB on disk each"]


def write_page(folder: Path) -> None:
    """Write ``README.md`` beside ``measurements.json``."""
    content = json.loads((folder / "measurements.json").read_text())
    machine, engine = content["made_by"]["machine"], content["rows"][0]["engine"]
    lines = [
        "# Kept targets: seconds and bytes",
        "",
        *table(
            HEAD,
            [
                [
                    f"`{row['method']}`",
                    row["ipc"],
                    f"{row['fresh_seconds']:.3f}",
                    f"{row['kept_seconds']:.3f}",
                    f"{row['ratio']:.2f}",
                    f"{row['computing_seconds']:.3f}",
                    f"{row['bytes'] / 1e6:.2f}",
                ]
                for row in content["rows"]
            ],
        ),
        "",
        f"Written by `{content['command']}` at commit {content['made_by']['commit']}, in one run on {machine['processor']}, "
        f"{machine['cores']} cores, {machine['threads']} threads, torch {machine['torch']}, {engine['precision']}, "
        f"{'compiled' if engine['compiled'] else 'not compiled'}. Data: {content['data']}, {content['classes']} classes, "
        f"{content['real_images']} real images a class. Seconds are medians of {content['rounds']} steps of either, taken in turn; one "
        "target is that of all classes, for one network and one draw. [Accuracy](../targets-cifar10-ipc10/README.md)",
    ]
    write_atomic(folder / "README.md", "\n".join(lines) + "\n")
