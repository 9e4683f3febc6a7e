"""One measurement in a process of its own: ``python -m benchmarks.measure '{"kind": "step", ...}'`` prints one line of JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.reference import ReferenceFeatures, ReferenceIDM, ReferenceMatching, ReferenceTraining
from datastill import random
from datastill.augment import DSA, flip_and_shift
from datastill.data import ClassImages, DataSet
from datastill.encoders import Encoder, Session
from datastill.engine import Engine, Runner, Trainer
from datastill.engine.cost import forward_cost
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import DistributionMatching, method
from datastill.networks import build

PER_CLASS = 512
"""Images of a class in the made-up sets where a case does not say: time and memory do not depend on what the pictures show."""


@dataclass(frozen=True)
class DrawnOnce(Encoder):
    """A network with weights drawn once, in place of a pretrained one: it costs the same and needs no training."""

    network: str = "resnet18"

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Build the network (see `Encoder.open`)."""
        return DrawnOnceSession(self.network, data, engine, fields)


class DrawnOnceSession(Session):
    """A `DrawnOnce` during a run: one network that recurs, as a pretrained one does, so what terms keep of it is measured once."""

    member = 0

    def begin(self, iteration: int) -> None:
        """Keep the weights (see `Session.begin`)."""


def noise(classes: int, side: int, per_class: int | None = None) -> DataSet:
    """A set of random colour pictures."""
    generator, per_class = torch.Generator().manual_seed(0), per_class or PER_CLASS
    pixels = torch.randint(0, 256, (classes * per_class, 3, side, side), generator=generator, dtype=torch.uint8)
    split = ClassImages(pixels, torch.arange(len(pixels)), (per_class,) * classes)
    names = tuple(str(label) for label in range(classes))
    return DataSet("noise", split, split, split, names, (0.5,) * 3, (0.25,) * 3, flip=True, fingerprint="noise")


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def peak(engine: Engine) -> float:
    """GFLOP/s of square matrix products in the precision of the engine: the best of several.

    No other precision is tried: a processor without bfloat16 units emulates such a product, which takes minutes.
    """
    one, other = (torch.randn(2048, 2048).to(engine.precision) for _ in range(2))
    product = partial(torch.matmul, one, other)
    product()
    return 2 * 2048**3 / min(seconds(product) for _ in range(8)) / 1e9


def memory() -> float:
    """The most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def paired(
    ours: Callable[[], object], reference: Callable[[], object] | None, rounds: int, *, warm: int = 2, times: int = 2
) -> dict[str, Any]:
    """Time two functions in turn, after a warm-up of each; memory is the process's before the reference runs.

    Args:
        ours: What is measured.
        reference: What it is compared with, once a round.
        rounds: How often they take turns.
        warm: Calls of ours before it is timed.
        times: Calls of ours in a round.
    """
    first = seconds(ours)
    for _ in range(warm - 1):
        ours()
    before = memory()
    if reference:
        reference()
    mine, theirs = [], []
    for _ in range(rounds):
        mine += [seconds(ours) for _ in range(times)]
        if reference:
            theirs.append(seconds(reference))
    result: dict[str, Any] = {"first": first, "seconds": median(mine), "fastest": min(mine), "slowest": max(mine), "memory": before}
    if theirs:
        result |= {"reference": median(theirs), "ratio": median(theirs) / median(mine)}
    return result


def rates(work: float, result: dict[str, Any], highest: float) -> dict[str, float]:
    """Operations, their rate, and the highest rate of matrix products measured in the same process, in GFLOP and GFLOP/s."""
    return {"gflop": work / 1e9, "gflops": work / result["seconds"] / 1e9, "peak": highest}


def composed(name: str, real_batch: int | None, classes: int, ipc: int, preset: str = "code") -> DistributionMatching:
    """A method with the published hyper-parameters, in the published code's form, or with those of another preset."""
    settings = [] if real_batch is None else [f"real_batch={real_batch}"]
    found = method(name, data="cifar10", classes=classes, ipc=ipc, preset=preset, settings=settings)
    if not isinstance(found, DistributionMatching):
        raise TypeError(f"{name} takes no steps of the pixels that could be measured")
    if "pretrained" not in found.encoders:
        return found
    return replace(found, encoders={**found.encoders, "pretrained": DrawnOnce(most=found.encoders["pretrained"].most)})


def opened(case: dict[str, Any]) -> tuple[DistributionMatching, DataSet, MatchingStepper]:
    """The method, the data and the stepper of a case."""
    classes, ipc = case.get("classes", 10), case["ipc"]
    data = noise(classes, case.get("side", 32), case.get("per_class"))
    preset = case.get("preset", "code")
    matching = composed(case["method"], case.get("real_batch", 256 if preset == "code" else None), classes, ipc, preset)
    stepper = matching.open(data, Engine.choose(), ipc, 0)
    if not isinstance(stepper, MatchingStepper):
        raise TypeError("expected distribution matching")
    return matching, data, stepper


def step(case: dict[str, Any]) -> dict[str, Any]:
    """A step of distribution matching, against the reference where the case asks for it."""
    matching, data, stepper = opened(case)
    reference = None
    count = {"ours": 0, "reference": 0}

    def next_of(name: str, function: Callable[[int], object]) -> Callable[[], None]:
        def call() -> None:
            function(count[name])
            count[name] += 1

        return call

    if case.get("reference"):
        session = stepper.encoders.get("pretrained")
        teacher = session.network.float() if session else None
        published = ReferenceIDM if case["method"].startswith("idm") else ReferenceMatching
        loop = published(data, stepper.images(), real_batch=matching.real_batch, teacher=teacher)
        reference = next_of("reference", loop.step)
        if session:
            session.network.freeze(stepper.engine.precision)
    highest = peak(stepper.engine)
    options = {name: case[name] for name in ("warm", "times") if name in case}
    result = paired(next_of("ours", stepper.step), reference, case.get("rounds", 3), **options)
    highest = max(highest, peak(stepper.engine))
    work = matching.cost(data, case["ipc"])
    images = data.train.storage.numel() / 2**20
    return {**result, **rates(work, result, highest), "images_memory": images, "engine": stepper.engine.describe()}


def parts(case: dict[str, Any]) -> dict[str, Any]:
    """Where the time of a step goes: seconds of its parts."""
    matching, _, stepper = opened(case)
    spent: dict[str, float] = defaultdict(float)
    inside: list[float] = []
    closed: list[str] = []
    rounds = case.get("rounds", 5)
    with ExitStack() as undo:

        def timed(owner: Any, attribute: str, label: str, *, whole: bool = False) -> None:
            function = getattr(owner, attribute)

            def call(*arguments: Any, **options: Any) -> Any:
                if closed:
                    return function(*arguments, **options)
                inside.append(0.0)
                if whole:  # with the parts inside it: what a network's training takes backwards is training
                    closed.append(label)
                began = time.perf_counter()
                result = function(*arguments, **options)
                took = time.perf_counter() - began
                spent[label] += took - inside.pop()  # without the parts inside it
                if inside:
                    inside[-1] += took
                if whole:
                    closed.pop()
                return result

            setattr(owner, attribute, call)
            undo.callback(setattr, owner, attribute, function)

        for part in ("_parts", "_gathered", "_normalised"):
            timed(stepper.batches, part, "drawing, gathering, normalising")
        timed(DSA, "__call__", "augmentation")
        for name, session in stepper.encoders.items():
            timed(session, "begin", "new weights")
            timed(session, "advance", f"training of networks ({name})", whole=True)
            timed(session, "real", f"real images through the {session.network.name}")
            timed(session, "synthetic", f"synthetic images through the {session.network.name} ({name})")
        for term in matching.terms:
            timed(type(term), "__call__", f"the term {term.name}")
            timed(type(term), "target", f"the target of the term {term.name}")
        for way in ("backward", "grad"):
            timed(torch.autograd, way, "backward")
        timed(stepper, "_expanded", "enlarging parts")
        timed(stepper.optimizer, "step", "step of the pixels")
        stepper.step(0)
        stepper.step(1)
        spent.clear()
        total = seconds(lambda: [stepper.step(2 + number) for number in range(rounds)]) / rounds
    found = {label: value / rounds for label, value in spent.items()}
    return {"seconds": total, "parts": {**found, "the rest": total - sum(found.values())}, "peak": peak(stepper.engine)}


def train(case: dict[str, Any]) -> dict[str, Any]:
    """A training step with its augmentation: an epoch of evaluation, or a batch of pretraining."""
    name, images, side = case["network"], case["images"], case.get("side", 32)
    data = noise(10, side)
    network = build(name, channels=3, classes=10, size=(side, side))
    work = 3 * forward_cost(network) * images
    engine = Engine.choose()
    plainly = ReferenceTraining(network)
    trainer = Trainer(engine, engine.place(network), learning_rate=0.01)
    rows = torch.randperm(len(data.train))[:images]
    batch, labels = data.normalise(data.train.gather(rows)), data.train.labels[rows]
    number = iter(range(10**6))

    def augmented() -> Tensor:
        generator = random.generator(next(number))
        return DSA().batch(batch, generator) if case["augmentation"] == "dsa" else flip_and_shift(batch, flip=True, generator=generator)

    def ours() -> None:
        trainer.step(augmented(), labels)

    def reference() -> None:
        plainly.step(augmented(), labels)

    highest = peak(engine)
    result = paired(ours, reference, case.get("rounds", 5))
    highest = max(highest, peak(engine))
    return {**result, **rates(work, result, highest), "engine": engine.describe()}


def features(case: dict[str, Any]) -> dict[str, Any]:
    """Embeddings of real images, without gradients."""
    name, images, side = case["network"], case["images"], case.get("side", 32)
    data = noise(10, side)
    network = build(name, channels=3, classes=10, size=(side, side))
    work = forward_cost(network) * images
    engine = Engine.choose()
    plainly = ReferenceFeatures(network)
    network = engine.place(network)
    network.freeze(engine.precision)
    runner = Runner(engine, network, ("embedding",))
    batch = data.normalise(data.train.gather(torch.arange(images)))

    def ours() -> None:
        with torch.no_grad():
            runner(batch)

    def reference() -> None:
        plainly(batch)

    highest = peak(engine)
    result = paired(ours, reference, case.get("rounds", 3))
    highest = max(highest, peak(engine))
    return {**result, **rates(work, result, highest), "engine": engine.describe()}


KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"step": step, "parts": parts, "train": train, "features": features}

if __name__ == "__main__":
    from benchmarks import kinds

    case = json.loads(sys.argv[1])
    print(json.dumps({**KINDS, "other": kinds.step}[case["kind"]](case)))
