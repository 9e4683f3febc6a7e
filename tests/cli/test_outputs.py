"""A link that a user names as an output stays a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import refusal
from datastill.cli import main


def test_a_picture_is_drawn_through_a_link(tmp_path: Path, run: Path) -> None:
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    main(["show", str(run), "--out", str(tmp_path / "link.png")])
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes().startswith(b"\x89PNG")


def test_tables_are_written_through_a_link_by_the_ending_of_the_link(tmp_path: Path, run: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link.md").symlink_to("real")
    main(["compare", str(run), "--out", str(tmp_path / "link.md")])
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real").read_text().startswith("# Comparison")


@pytest.mark.parametrize("command", ["show", "compare", "evaluate"])
def test_a_device_is_no_output(tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (tmp_path / "device.png").symlink_to("/dev/null")
    assert "device.png is a device, and only a regular file can be written" in refusal(
        capsys, command, str(run), "--out", str(tmp_path / "device.png")
    )
