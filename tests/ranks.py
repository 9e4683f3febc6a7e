"""Two processes that share runs, forked off one that has imported everything; what they found is left in a folder.

The folder may hold a run in ``begun``, which they continue.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import distributed
from torch._C._distributed_c10d import TCPStore

import datastill
from datastill.cli import main
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.files import save_tensors
from datastill.kinds import Stepper
from datastill.methods import METHODS, DistributionMatching, Method
from datastill.terms import MeanMatching
from small_methods import brief, constrained, quick, small
from tiny_sets import data_set

COUNT = 2
STEPS = 2
CONTINUED = 3
LOST = 2
PATIENCE = 120.0
RUNS: dict[str, Method] = {
    **{name: replace(quick(name), lookup=None) for name in METHODS},
    "dm": small("dm+cm", "views=2", "matching.count=2", "matching.targets=2", "matching.target_images=5"),
    "dm+iid": small("dm+iid", balance=0.1, learning_rate=30.0),
    "idm": small("idm+iid"),
    "cafe": small("cafe+cm", "views=2", "augment=yes", averaging=0.7),
    "dsa": brief("dsa", averaging=0.7, network="convnet-bn"),
    "dcc": brief("dcc", summed_from=0),
    "dsa+iid": constrained("dsa", balance=0.1),
    "dcc+iid": constrained("dcc", every=2, most=2, balance=0.0),
}
LONG = ("distill", "digits", "--method", "dm", "--ipc", "1", "--iterations", "100000", "--real-batch", "8", "--no-compile")


@dataclass(frozen=True)
class Leaving(DistributionMatching):
    """A method of which a process ends itself at an iteration."""

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        stepper = super().open(data, engine, ipc, seed)
        step = stepper.step

        def left(iteration: int) -> dict[str, float]:
            if iteration == LOST and engine.ranks.rank == 1:
                os._exit(9)
            return step(iteration)

        stepper.step = left  # type: ignore[method-assign]  # to end in it
        return stepper


LEAVING = Leaving("leaving", (MeanMatching(),), real_batch=4)


def tiles() -> DataSet:
    """Three classes of random images, which two processes do not share evenly."""
    return data_set((9, 11, 10), size=(8, 8))


def begun() -> dict[str, Any]:
    """The options of the run that is continued by other numbers of processes."""
    return {"method": small("idm"), "ipc": 2, "engine": Engine(), "checkpoint_seconds": 0}


def left() -> dict[str, Any]:
    """The options of the run that a process leaves."""
    return {"method": LEAVING, "ipc": 2, "iterations": LOST + 2, "engine": Engine(), "checkpoint_seconds": 0}


def share(folder: Path, rank: int) -> None:
    """Be one of the processes that share runs by the Python interface."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=COUNT, timeout=timedelta(seconds=PATIENCE)
    )
    data, said = tiles(), {}
    for name, composed in RUNS.items():
        try:
            out = datastill.distill(data, method=composed, ipc=2, iterations=STEPS, engine=Engine(), share=True)
            save_tensors(folder / f"{name} {rank}.safetensors", {"images": out.images}, {})
        except UserError as error:
            said[name] = str(error)
    datastill.distill(data, out=folder / "begun", iterations=CONTINUED, resume=True, share=True, **begun())
    try:
        datastill.distill(data, method="dm", ipc=2, seed=rank, iterations=1, engine=Engine(), share=True)
    except UserError as error:
        said["other options"] = str(error)
    (folder / f"said {rank}.json").write_text(json.dumps(said))
    try:
        datastill.distill(data, out=folder / "lost", share=True, **left())
    except UserError as error:
        (folder / "lost.txt").write_text(str(error))


def command(folder: Path, port: int, words: Sequence[str], rank: int) -> None:
    """Be one of the processes of a command that torchrun started."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(COUNT), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    for number in (1, 2):
        os.dup2(os.open(folder / f"{rank}.{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    sys.argv = ["datastill", *words]
    main()


def pair(be: Callable[[int], None]) -> list[int]:
    """Fork the two processes."""
    found = []
    for rank in range(COUNT):
        if (process := os.fork()) == 0:
            _end(be, rank)
        found.append(process)
    return found


def _end(be: Callable[[int], None], rank: int) -> NoReturn:
    code = 1
    try:
        be(rank)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(processes: Sequence[int]) -> list[int]:
    """Their exit codes; one that does not end in time is killed."""
    codes: dict[int, int] = {}
    due = time.monotonic() + PATIENCE
    while len(codes) < len(processes):
        for process in processes:
            if process in codes:
                continue
            if time.monotonic() > due:
                os.kill(process, signal.SIGKILL)
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                codes[process] = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        time.sleep(0.01)
    return [codes[process] for process in processes]


def commands(folder: Path, name: str, words: Sequence[str], stopped: Callable[[], bool] | None = None) -> None:
    """Run a command in the two processes, and leave its exit codes and outputs; one process alone is asked to stop, once it may.

    Args:
        folder: Where.
        name: What they are called there.
        words: After ``datastill``.
        stopped: When to stop; None for never.
    """
    place = folder / name
    place.mkdir()
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # torchrun has it in a process of its own as well
    processes = pair(lambda rank: command(place, store.port, words, rank))
    if stopped:
        due = time.monotonic() + PATIENCE
        while not stopped() and time.monotonic() < due:
            time.sleep(0.02)
        os.kill(processes[1], signal.SIGTERM)
    (place / "codes.json").write_text(json.dumps(ended(processes)))


def serve(folder: Path) -> None:
    """Share everything."""
    torch.set_num_threads(1)
    commands(folder, "refused", ["distill", "digits", "--method", "kip", "--ipc", "1", "--out", str(folder / "none")])
    commands(folder, "alone", ["evaluate", "none"])
    run = folder / "stopped run"
    commands(
        folder,
        "stopped",
        [*LONG, "--out", str(run), "--checkpoint-seconds", "0"],
        lambda: any(int(path.stem) > 2 for path in run.glob("checkpoint/*.safetensors")),
    )
    commands(folder, "finished", ["distill", "digits", *LONG[2:6], "--iterations", "2", *LONG[8:], "--out", str(folder / "short")])
    (folder / "codes.json").write_text(json.dumps(ended(pair(lambda rank: share(folder, rank)))))
