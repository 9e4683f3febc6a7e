"""Shared fixtures: a private cache for every test session, tiny data sets, and the real data where it is available."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch

from datastill.data import ClassImages, DataSet
from datastill.engine import Trainer
from datastill.kinds.distribution_matching import stepper as matching
from datastill.stopping import SIGNALS
from doubles import Compiler, Disk, Training


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's cache, and none uses more than one thread, so that they can run side by side.

    Processes that share the tests share a cache as well, so that nothing is compiled or trained twice.
    """
    patch = pytest.MonkeyPatch()
    own = tmp_path_factory.getbasetemp()
    cache = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    cache.mkdir(mode=0o700, exist_ok=True)
    patch.setenv("DATASTILL_CACHE", str(cache))
    torch.set_num_threads(1)
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _signals_as_usual() -> Iterator[None]:
    """Signals do what they do by default, also where the tests were started by `nohup` or in the background of a script."""
    usual = {number: signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL for number in SIGNALS}
    before = {number: signal.signal(number, usual[number]) for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; skips, saying so, where ``DATASTILL_DATA`` is not set."""
    root = os.environ.get("DATASTILL_DATA")
    if not root:
        pytest.skip("DATASTILL_DATA is not set: no real data to test with")
    return Path(root)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk that files are written to."""
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.sync)
    return disk


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, object]], None]:
    """Sets environment variables by name, or with None removes them."""

    def change(variables: Mapping[str, object]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))  # one that the test sets by itself is removed afterwards as well
            if value is None:
                monkeypatch.delenv(name)

    return change


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that data sets are looked for in: the test's own."""
    monkeypatch.setenv("DATASTILL_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no folder that data sets are looked for in."""
    monkeypatch.delenv("DATASTILL_DATA", raising=False)


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that relative paths begin at: the test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the terminal some columns wide; 80 before it is called."""

    def resize(columns: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))

    resize(80)
    return resize


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """The C++ compiler of the machine."""
    compiler = Compiler()
    monkeypatch.setattr(shutil, "which", compiler.which)
    return compiler


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Training:
    """The training steps of networks, from now on."""
    training = Training()
    monkeypatch.setattr(Trainer, "step", lambda *arguments: training.step(*arguments))
    return training


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Limits what a step of a run that is opened later has in memory at a time: synthetic `images`, or `size` bytes of real ones."""

    def limit(images: int | None = None, size: int | None = None) -> None:
        for name, value in (("CHUNK", images), ("CHUNK_BYTES", size)):
            if value is not None:
                monkeypatch.setattr(matching, name, value)

    return limit


def _tiny_split(images: int, seed: int) -> ClassImages:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(0, 120, (3 * images, 3, 8, 8), generator=generator, dtype=torch.uint8)
    for label in range(3):  # a bright bar, at another place in every class
        noise[label * images : (label + 1) * images, :, :, 2 * label : 2 * label + 3] += 120
    return ClassImages(noise, torch.arange(3 * images), (images,) * 3)


@pytest.fixture(scope="session")
def tiny() -> DataSet:
    """Three classes of 8x8 colour images, 12 to train on, made by hand; nothing may change it."""
    return DataSet(
        name="tiny",
        train=_tiny_split(12, seed=1),
        validation=_tiny_split(2, seed=2),
        test=_tiny_split(4, seed=3),
        class_names=("left", "middle", "right"),
        mean=(0.3, 0.35, 0.4),
        std=(0.2, 0.25, 0.3),
        flip=True,
        fingerprint="0123456789abcdef",
    )
