"""Which of the parts of a data set is distilled and which tests: one rule for folders, files and splits of the hub."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datastill.errors import UserError, unknown
from datastill.logs import logger, note
from datastill.reading import NONE, Reading

log = logger(__name__)

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "validation", "valid", "eval", "evaluation", "dev")
WORD = re.compile(r"(?:^|[-_. ])(?:(train|test|validation|valid|val)|(eval|evaluation|dev)(?=$|[-_. ]|\d))")
"""A word of a name that says which part it is, as in ``train_small``, ``cifar10-test`` or ``train2017``."""


def word_of(name: str) -> str | None:
    """The word in a name that says which part it is; None if there is none.

    Example:
        >>> word_of("cifar10-Train"), word_of("train2017"), word_of("evaluate"), word_of("dev-0")
        ('train', 'train', None, 'dev')
    """
    match = WORD.search(name.lower())
    return (match[1] or match[2]) if match else None


def is_train(name: str) -> bool:
    """Whether a name says that a part is for training."""
    return word_of(name) in TRAIN_NAMES


def is_test(name: str) -> bool:
    """Whether a name says that a part is for testing."""
    return word_of(name) in TEST_NAMES


def choose(names: Sequence[str], reading: Reading, where: str, order: Sequence[str] = TEST_NAMES) -> tuple[str, str | None]:
    """Choose the training and the test split by what was asked for, else by their names, and tell what is left out.

    Args:
        names: Of the parts, at least one of them for training.
        reading: What was asked for.
        where: What the parts are of, for messages.
        order: Names of test splits, those that are preferred first.

    Returns:
        The name of the training split, and of the test split; None if a part of the former is to be held out.

    Raises:
        UserError: If there is no such part, or the names leave more than one reading.
    """
    train = _asked(reading.train_split, names, where, "train_split") or _train(names, where)
    others = [name for name in names if name != train]
    if reading.test_split is not None:
        test = None if reading.test_split.lower() == NONE else _asked(reading.test_split, others, where, "test_split")
        if test:
            say(where, train, test, asked=True)
        return train, test
    test = _test(others, train, where, order)
    unread = [name for name in others if name != test]
    if test is None and (candidates := [name for name in unread if not is_train(name)]):
        raise UserError(
            f"{where} holds {train} and {', '.join(candidates)}: `test_split={candidates[0]}` tests on that part, `test_split={NONE}` "
            f"holds out a part of {train} instead"
        )
    if test:
        say(where, train, test)
    if unread:
        note(log.warning, "%s: %s is ignored (`train_split` and `test_split` choose other parts)", where, ", ".join(unread))
    return train, test


def say(where: str, train: str, test: str, *, asked: bool = False) -> None:
    """Tell which parts are the splits, unless that was asked for or their names are the usual ones; it is noted in any case.

    Args:
        where: What the parts are of.
        train: The name of the training split.
        test: The name of the test split.
        asked: Whether the user chose it.
    """
    usual = asked or (train.lower(), test.lower()) == ("train", "test")
    note(log.debug if usual else log.info, "%s: %s is distilled, and %s is the test split", where, train, test)


def _asked(asked: str | None, names: Sequence[str], where: str, argument: str) -> str | None:
    if asked is not None and asked not in names:
        raise unknown(f"`{argument}` of {where}:", asked, names)
    return asked


def _train(names: Sequence[str], where: str) -> str:
    exact = [name for name in names if name.lower() in TRAIN_NAMES]
    found = exact or [name for name in names if is_train(name)]
    if not found:
        raise UserError(f"{where} holds {', '.join(names)}: `train_split=NAME` says which of them is distilled")
    if len(found) > 1:
        raise UserError(
            f"{where} holds {' and '.join(found)}: `train_split={found[0]}` distils one of them, `train_split={found[1]}` another"
        )
    return found[0]


def _test(others: Sequence[str], train: str, where: str, order: Sequence[str]) -> str | None:
    for word in order:
        if exact := [name for name in others if name.lower() == word]:
            return exact[0]
    for word in order:
        found = [name for name in others if word_of(name) == word]
        if len(found) > 1:
            raise UserError(
                f"{where} holds {' and '.join(found)}: `test_split={found[0]}` tests on one of them, `test_split={found[1]}` on another"
            )
        if found:
            return found[0]
    return None
