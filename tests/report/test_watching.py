"""Watching a run: every state of its folder, on a terminal and without one, at any width."""

from __future__ import annotations

import io
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from commands import refusal
from datastill import Protocol
from datastill.cli import main
from datastill.data import DataSet
from datastill.errors import UserError
from datastill.files import locked
from datastill.kinds import Stepper
from datastill.report import watching
from datastill.report.watching import blocks, lines, sparkline, view, watch
from datastill.runs.status import read_status
from doubles import KilledError
from run_folders import interrupted, method, run


@pytest.fixture(scope="module")
def finished(tiny: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched") / "run"
    run(tiny, folder)
    return folder


def terminal(width: int = 60) -> Console:
    return Console(file=io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), width=width, color_system="truecolor", force_terminal=True)


def shown(console: Console) -> str:
    console.file.flush()
    assert isinstance(console.file, io.TextIOWrapper)
    buffer = console.file.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def test_without_a_terminal_a_run_is_shown_once(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["watch", str(finished)])
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("dm+cm on tiny, IPC 2, in ")
    assert second.startswith("finished: 8 of 8; datastill evaluate ")
    assert [line.split()[0] for line in rest] == ["loss", "mm", "cm"]


def test_a_run_of_another_process_is_shown_while_it_goes_on(tiny: DataSet, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(stepper: Stepper) -> None:
        thread = threading.Thread(target=lambda: seen.extend(lines(read_status(tmp_path / "run"), 80)))
        thread.start()
        thread.join()

    run(tiny, tmp_path / "run", method=interrupted(method(), 5, look), validate_at=[2], validation_protocol=Protocol(epochs=2))
    assert seen[1].startswith("running: 5 of 8, ")
    assert seen[1].endswith(" left")
    assert seen[-1].endswith("% after iteration 2")


def test_a_run_that_was_killed_is_said_to_have_stopped(tiny: DataSet, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", method=interrupted(method(), 3))
    status = read_status(tmp_path / "run")
    assert (status.state, status.done, status.over) == ("stopped", 3, True)
    assert lines(status, 200)[1] == f"stopped: 3 of 8; datastill resume {tmp_path / 'run'} continues it"


def test_before_its_first_step_a_run_is_preparing(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run" / "config.yaml", "the run"):
        assert read_status(tmp_path / "run").state == "waiting"
        shutil.copy(finished / "config.yaml", tmp_path / "run")
        assert lines(read_status(tmp_path / "run"), 80)[1] == "preparing: 0 of 8; networks may be trained first"


def test_a_run_that_has_not_begun_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["watch", str(tmp_path / "run")])
    assert capsys.readouterr().out.startswith("waiting for ")


def test_what_is_no_run_is_refused(tmp_path: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file: expected the folder of a run" in refusal(capsys, "watch", str(tmp_path / "file"))
    assert "holds no run: it has no config.yaml" in refusal(capsys, "watch", str(tmp_path))
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "config.yaml").write_text("data: [")
    assert "config.yaml" in refusal(capsys, "watch", str(tmp_path / "run"))
    (tmp_path / "run" / "config.yaml").write_text("data: digits\n")
    assert "is damaged: data must be a mapping" in refusal(capsys, "watch", str(tmp_path / "run"))


def test_damaged_figures_and_images_are_left_out(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "run")
    text = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "metrics.jsonl").write_text("".join(["nonsense\n", *text[1:], '{"iter']))
    for path in (tmp_path / "run" / "checkpoint").iterdir():
        path.write_bytes(b"damaged")
    console, status = terminal(), read_status(tmp_path / "run")
    console.print(view(status, console))
    assert status.done == 8
    assert "▀" not in shown(console)


def test_on_a_terminal_the_run_is_watched_until_it_ends_and_its_images_are_drawn(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = terminal()
    monkeypatch.setattr(watching, "Console", lambda **options: console)
    monkeypatch.setattr(watching, "SECONDS", 0.01)
    watcher = threading.Thread(target=watch, args=(tmp_path / "run",))
    watcher.start()
    while "waiting for" not in shown(console):
        time.sleep(0.01)
    run(tiny, tmp_path / "run")
    watcher.join(30)
    assert not watcher.is_alive()
    text = shown(console)
    assert text.index("waiting for") < text.rindex("finished: 8 of 8")
    assert "▀" in text


def test_a_run_that_is_removed_while_it_is_watched_ends_the_watching(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    monkeypatch.setattr(watching, "Console", lambda **options: terminal())
    monkeypatch.setattr(time, "sleep", lambda seconds: shutil.rmtree(tmp_path / "run"))
    shutil.rmtree(tmp_path / "run" / "distilled")
    with locked(tmp_path / "run" / "config.yaml", "the run"), pytest.raises(UserError, match="the run was removed"):
        watch(tmp_path / "run")


@pytest.mark.parametrize("width", [1, 7, 20, 33, 200])
def test_no_line_is_wider_than_the_terminal(finished: Path, width: int) -> None:
    console, status = terminal(width), read_status(finished)
    assert max(map(len, lines(status, width))) <= width
    assert lines(status, width, plain=True) == [line.encode("ascii").decode() for line in lines(status, width, plain=True)]
    images = np.zeros((3, 2, 8, 8, 1), dtype=np.uint8)
    assert max(line.cell_len for line in blocks(images, width)) <= width
    console.print(view(status, console))


def test_names_of_others_are_shown_and_not_obeyed(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run\x1b[31m"
    shutil.copytree(finished, folder)
    main(["watch", str(folder)])
    assert "\x1b" not in capsys.readouterr().out


def test_a_sparkline_shows_what_is_not_finite_and_many_decades() -> None:
    assert sparkline([1.0, float("inf"), 2.0], 3) == "▁x█"
    assert sparkline([1.0, 1e4, 1e8], 3) == "▁▅█"
    assert sparkline([3.0, 3.0], 2, plain=True) == "__"
    assert len(sparkline(list(range(1000)), 40)) == 40
