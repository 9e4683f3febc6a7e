"""What a user writes: names, settings, numbers and command lines that make no sense, or nearly."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

import datastill
from datastill.configuration.settings import paths
from datastill.data import load
from datastill.errors import UserError
from faults.campaign import Campaign, Outcome
from faults.known import cache_at, data
from faults.mutations import ODD
from faults.refusals import command

PARTS = (
    "digits", "folder:", "parquet:", "arrow:", "tinyimagenet:", "~nosuchuser/", "/", "..", "x" * 300, "[0-2]", "[", "]", "@8", "@0", "@9x",
    "@",
    "{flip=no}", "{", "}", "{classes=a,b}", "%", "\0", "\udce9", "é", " ", "\n", "0", "-1", "9" * 5000, ":", "mnist2", "=",
)  # fmt: skip
TERMS = ("dm", "idm", "cafe", "random", "herding", "+cc", "+cm", "+iid", "+km", "+", "cc", "é", " ", "dm+dm", "\0", "+nothing", "DM", "")
NUMBERS: tuple[Any, ...] = (
    *ODD, 0.0, -0.0, 1, 2, 7.9, 1e20, 1e-300, -1e30, 10**18, 10**5000, np.int64(2), np.float32(0.5), np.nan, np.array([1, 2]), 1j, object(),
)  # fmt: skip
TEXTS = (
    "", "nan", "inf", "-1", "0", "1e400", "1e30", "2.9", "x", "none", "true", "1,2", ",", "é", "\0", "9" * 5000, "0x10", "1_0", "\u0661",
    "{}", "=", "1=2", " 1 ",
)  # fmt: skip


def _data_name(seed: int, folder: Path) -> Outcome:
    chance = random.Random(seed)
    name = "".join(chance.choice(PARTS) for _ in range(chance.randrange(1, 5)))
    with cache_at(folder):
        return Outcome.READ if load(name, validation=0).classes >= 2 else Outcome.WRONG


def _method(seed: int, folder: Path) -> Outcome:
    chance = random.Random(seed)
    name = "".join(chance.choice(TERMS) for _ in range(chance.randrange(1, 4)))
    known = list(paths(datastill.method("idm+iid+km", data=data(), ipc=2)))
    settings = [f"{chance.choice((*known, 'x', 'cc.', ''))}={chance.choice(TEXTS)}" for _ in range(chance.randrange(3))]
    return Outcome.READ if datastill.method(name, data=data(), ipc=2, settings=settings).name else Outcome.WRONG


def _numbers(seed: int, folder: Path) -> Outcome:
    """One argument, or one setting, of a run of a step is an odd number."""
    chance = random.Random(seed)
    options: dict[str, Any] = {"ipc": 2, "iterations": 1, "seed": 0, "checkpoint_seconds": 0.0, "validate_at": ()}
    settings = ["real_batch=6"]
    if chance.random() < 0.6:
        options[chance.choice(sorted(options))] = chance.choice(NUMBERS)
    else:
        fields = [path for path in paths(datastill.method("dm+cm", data=data(), ipc=2)) if "network" not in path]
        settings.append(f"{chance.choice(fields)}={chance.choice(TEXTS)}")
    try:
        method = datastill.method("dm+cm", data=data(), ipc=2, settings=settings)
        found = datastill.distill(data(), method=method, out=folder / "run", **options)
    except UserError as error:
        kept = list((folder / "run").rglob("*.safetensors"))
        if kept:
            raise AssertionError(f"kept {kept} of a run that was refused: {error}") from error
        raise
    return Outcome.READ if bool(found.images.isfinite().all()) and float(found.images.square().mean()) < 1e6 else Outcome.WRONG


FLAGS = {
    "distill": (
        "--ipc", "--seed", "--iterations", "--lr", "--real-batch", "--teachers", "--checkpoint-seconds", "--validation", "--validate-at",
        "--set", "--method", "--preset", "--init", "--device", "--precision", "--config",
    ),
    "evaluate": ("--repeats", "--seed", "--epochs", "--compare", "--network", "--split", "--data", "--experiment", "--labels", "--set"),
    "export": ("--format", "--data", "--experiment"),
    "show": ("--columns", "--out", "--data"),
    "pretrain": ("--count", "--epochs", "--recipe", "--network", "--validation"),
    "list": (),
    "compare": (),
}  # fmt: skip


def _command(seed: int, folder: Path) -> Outcome:
    """A command with odd values of its options, of which at least one cannot be."""
    chance = random.Random(seed)
    name = chance.choice(sorted(FLAGS))
    arguments = [name, {"distill": "digits", "pretrain": "digits"}.get(name, str(folder / "nothing"))]
    for flag in chance.sample(FLAGS[name], min(len(FLAGS[name]), chance.randrange(1, 4))):
        arguments += [flag, chance.choice(TEXTS).replace("\0", "")]
    if name in ("distill", "pretrain"):  # nothing is to be trained
        arguments += ["--device", "nowhere"]
    if name == "distill":
        arguments += ["--out", str(folder / "run")]
    try:
        command(arguments, folder)
    except UserError:
        return Outcome.REFUSED
    return Outcome.READ


CAMPAIGNS = (
    Campaign("data-names", "a data set has a name that makes no sense, or nearly", _data_name),
    Campaign("method-names", "a method and its settings make no sense, or nearly", _method, short=40),
    Campaign("numbers", "a number given from Python or as a setting is odd", _numbers, short=40),
    Campaign("command-lines", "a command has odd values of its options", _command, short=40),
)
