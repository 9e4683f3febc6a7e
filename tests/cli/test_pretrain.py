"""The command that trains what methods read before their first step."""

from __future__ import annotations

from pathlib import Path

import pytest

from datastill.cli import main
from datastill.data import load
from datastill.methods import method

EXPERTS = ("--method", "mtt", "--ipc", "1", "--set", "experts=1", "--set", "latest_start=1", "--set", "expert_epochs=1")


def test_the_experts_of_a_method_are_there_when_it_is_distilled(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    composed = method("mtt", data=load("digits"), ipc=1, settings=EXPERTS[5::2])
    assert composed.missing(load("digits"))
    main(["pretrain", "digits", *EXPERTS])
    trained, said = capsys.readouterr().out.splitlines()
    assert trained.startswith(str(cache / "networks"))
    assert trained.endswith("  1 convnet, 1 epoch")
    assert said == "mtt: all that it reads is in the cache"
    assert not composed.missing(load("digits"))
    main(["pretrain", "digits", *EXPERTS])
    assert capsys.readouterr().out.splitlines() == [said]


def test_a_method_that_reads_nothing_trained_says_so(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["pretrain", "digits", "--method", "dm"])
    assert capsys.readouterr().out.splitlines() == ["dm: it reads nothing that is trained first"]
    assert not list(cache.glob("networks/*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--method", "mtt", "--count", "2", "--snapshots"), "--method says what is trained: leave out --count, --snapshots"),
        (("--method", "mtx"), "unknown method 'mtx'"),
        (("--method", "dm", "--ipc", "0"), "--ipc must be"),
        (("--set", "every=2"), "give it with --snapshots or --method"),
    ],
)
def test_what_does_not_go_together_is_one_line(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["pretrain", "digits", *arguments])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
