"""The one exception for a user's mistake, and the suggestion for a misspelt name."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Sequence

LIKE = 0.5
"""How like a name must be to be suggested, from 0 to 1."""


ALIKE = (
    ("learning_rate", "lr", "lr_img", "lr_net", "step_size", "eta"),
    ("weight_decay", "wd", "decay", "l2"),
    ("batch", "bs", "batch_size", "batchsize", "real_batch", "batch_real"),
    ("momentum", "mom"),
    ("epochs", "epoch", "n_epochs", "num_epochs", "max_epochs", "passes"),
    ("iterations", "iteration", "steps", "iters", "its", "max_steps"),
    ("ipc", "images_per_class", "spc"),
    ("initialisation", "init", "initialization"),
    ("count", "teachers", "n_teachers", "num_teachers", "experts", "num_experts"),
    ("settings", "set", "options", "hyperparameters"),
    ("data", "dataset", "datasets", "data_set"),
    ("repeats", "runs", "num_eval"),
    ("folder", "dir", "directory", "path", "files"),
    ("arrow", "disk"),
    ("hub", "hf", "huggingface"),
    ("fashion-mnist", "fmnist"),
    ("tinyimagenet", "tiny"),
    ("convnet", "cnn", "conv"),
    ("convnet-bn", "convnetbn", "convnet_batchnorm"),
    ("resnet18", "rn18"),
    ("k-center", "coreset"),
)
"""Words that are used for one thing, in this package and elsewhere; those of a group are suggested for each other, the first ones first."""


class UserError(ValueError):
    """What was given, what was expected and what to do, in one line. The command line prints it and exits with 2."""

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # the name of a file may have more than one line


class WrongTypeError(UserError, TypeError):
    """What was given is of another kind than what it was given to takes."""


class LostRankError(UserError):
    """Another process that shares a run has ended, or does not answer."""


def require(package: str, what: str, extra: str) -> None:
    """Refuse what needs a package that is not installed, before anything is computed.

    Args:
        package: Its module, which is not imported.
        what: What needs it, for the message.
        extra: The extra of datastill that installs it.

    Raises:
        UserError: If it cannot be imported.
    """
    try:
        there = importlib.util.find_spec(package) is not None
    except ValueError:  # something has put nothing in its place
        there = False
    if not there:
        raise UserError(f"{what} needs the package {package}: pip install 'datastill[{extra}]'")


def unknown(kind: str, given: str, known: Iterable[str], *, hint: str = "") -> UserError:
    """Build the error for a name that is not in a table, with the nearest name as a suggestion.

    Args:
        kind: What the name should have been, for example "network".
        given: The name that came.
        known: The names that exist.
        hint: A sentence to end with.
    """
    names = list(known)
    close = nearest(given.lower(), names)
    suggestion = f" Did you mean '{close}'?" if close else ""
    ending = f" {hint}" if hint else ""
    return UserError(f"unknown {kind} '{given}'.{suggestion} Known: {', '.join(names)}.{ending}")


def nearest(given: str, names: Sequence[str], like: float = LIKE) -> str | None:
    """The name that is meant by another (see `meant`), else most like it: one with a single other letter, then by likeness, first letter.

    Example:
        >>> nearest("dn", ["ld", "dance", "dm", "dc"]), nearest("resnet", ["convnet", "resnet18"]), nearest("dn", ["herding"])
        ('dm', 'resnet18', None)
        >>> nearest("lr", ["momentum", "learning_rate"])
        'learning_rate'
    """
    if (same := meant(given, names)) is not None:
        return same
    likeness = {name: difflib.SequenceMatcher(a=name, b=given).ratio() for name in names}

    def near(name: str) -> tuple[bool, float, bool]:
        letter = len(name) == len(given) and sum(one != other for one, other in zip(name, given, strict=True)) == 1
        return letter and likeness[name] >= like, likeness[name], name[:1] == given[:1]

    best = max(names, key=near, default=None)
    return best if best is not None and likeness[best] >= like else None


def meant(given: str, names: Sequence[str]) -> str | None:
    """The name that is the same but for case and hyphens, or that another word is used for as well, of `ALIKE`.

    Example:
        >>> meant("WD", ["momentum", "weight_decay"]), meant("k_center", ["k-center"]), meant("dn", ["dm"])
        ('weight_decay', 'k-center', None)
    """
    plain = {_plain(name): name for name in reversed(names)}
    words = next((group for group in ALIKE if _plain(given) in map(_plain, group)), ())
    return next((plain[_plain(word)] for word in (given, *words) if _plain(word) in plain), None)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
