"""The command in processes of its own, many of them: each is forked off one that has imported everything, and so starts at once.

What it prints to and where it stands are those of a new process. It may be sent signals while it runs.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

STATES = ("kept", "closed", "full", "broken")
"""What an output may be: kept for the caller, closed, a full device, a pipe that nobody reads."""

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LATE = ("torch._dynamo", "sklearn.datasets", "matplotlib.figure", "matplotlib.backends.backend_agg", "pyarrow.parquet")
"""What the commands import when they need it."""


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        code: Its exit code; minus the signal that ended it.
        out: What it printed, where that was kept.
        err: What it printed to standard error, where that was kept.
        seconds: How long it took.
    """

    code: int
    out: str
    err: str
    seconds: float


def run(
    *words: object,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    streams: Sequence[str] = ("closed", "kept", "kept"),
    signals: Sequence[tuple[float, int]] = (),
    kills: Sequence[tuple[float, float]] = (),
    patience: float = 600.0,
) -> Done:
    """Run the command to its end.

    Args:
        words: After ``datastill``.
        folder: Where it runs; None for here.
        environment: Changes to the environment of this process; "" removes a variable.
        streams: What its standard input, output and error are, each one of `STATES`.
        signals: Seconds after its start, and the signals that it gets then.
        kills: Seconds after its start at which one of the processes that it has started is killed, and which: a number from 0 to below 1,
            as a share of those that there are then.
        patience: Seconds after which it and what it has started are ended by SIGABRT, and say where they were in their standard errors.
    """
    with tempfile.TemporaryDirectory(prefix="datastill-command-") as kept:
        asked = {
            "words": [str(word) for word in words],
            "folder": str(folder or Path.cwd()),
            "environment": {**os.environ, "PYTHONFAULTHANDLER": "1", **(environment or {})},
            "streams": list(streams),
            "signals": sorted(signals),
            "kills": sorted(kills),
            "patience": patience,
            "kept": kept,
        }
        server = _server()
        if server.stdin is None or server.stdout is None:
            raise RuntimeError("the server has no pipes")
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        found = json.loads(server.stdout.readline())
        out, err = (path.read_text(errors="surrogateescape") if path.exists() else "" for path in (Path(kept) / "1", Path(kept) / "2"))
        return Done(found["code"], out, err, found["seconds"])


@cache
def _server() -> subprocess.Popen[str]:
    """The process that the others are forked off; it ends when this one does."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    atexit.register(server.communicate)  # closes its input, at which it ends
    return server


def _serve() -> None:
    import importlib
    import pkgutil

    import datastill

    for module in pkgutil.walk_packages(datastill.__path__, "datastill."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LATE:
        importlib.import_module(name)
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        if (process := os.fork()) == 0:
            _become(asked)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        print(json.dumps({"code": _end(process, asked, began), "seconds": time.monotonic() - began}), flush=True)


def _end(process: int, asked: Mapping[str, Any], began: float) -> int:
    """Send a process its signals and wait for its end."""
    due, kills, hung = [*asked["signals"]], [*asked["kills"]], False
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if due and time.monotonic() - began >= due[0][0]:
            os.kill(process, due.pop(0)[1])
        if not hung and time.monotonic() - began >= asked["patience"]:
            hung = True
            for each in (*_started(process), process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGABRT)
        if kills and time.monotonic() - began >= kills[0][0]:
            _, share = kills.pop(0)
            if started := _started(process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(started[int(share * len(started))], signal.SIGKILL)
        time.sleep(0.001)


def _started(process: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [process]
    for each in found:
        found += sorted(child for child, parent in parents.items() if parent == each)
    return found[1:]


def _become(asked: Mapping[str, Any]) -> None:
    """Be the command, as a new process would be, to which a signal can come only when it is the command."""
    code = 1
    try:
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update({name: value for name, value in asked["environment"].items() if value})
        sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path not in sys.path]
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            stream = _stream(number, asked["streams"][number], Path(asked["kept"]))
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        sys.argv = ["datastill", *asked["words"]]
        faulthandler.enable(2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from datastill import stopping
        from datastill.cli import main

        handle = stopping.handle

        def handled(last_words: Callable[[int], object], notice: Callable[[int], object]) -> None:
            handle(last_words, notice)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

        stopping.handle = handled
        code = 0
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        code = 1
        with contextlib.suppress(OSError):
            os.write(2, traceback.format_exc().encode())
    finally:
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            code = 120  # as Python itself exits where it cannot flush
        os._exit(code)


def _stream(number: int, state: str, kept: Path) -> Any:
    os.close(number)
    if state == "closed":
        return None
    if state == "broken" and number:
        read, write = os.pipe()
        there = write if read == number else read  # the pipe may have taken the number itself
        os.dup2(write, number)
        for each in {read, write, there} - {number}:
            os.close(each)
    else:
        path = "/dev/full" if state == "full" else os.devnull if number == 0 else str(kept / str(number))
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
    return open(number, "r" if number == 0 else "w", buffering=1 if number == 2 else -1, closefd=False)


if __name__ == "__main__":
    _serve()
