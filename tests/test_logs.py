from __future__ import annotations

import logging
from pathlib import Path

import pytest

from datastill.data import load
from datastill.logs import logger
from image_files import write_classes


def test_names_from_elsewhere_are_logged_as_one_printable_line(caplog: pytest.LogCaptureFixture) -> None:
    logger("datastill.a").warning("%s and %d", "\x1b[31mred\n\udce9", 2)
    assert caplog.messages == [r"\x1b[31mred\n\udce9 and 2"]


def test_a_module_asks_for_its_logger_more_than_once(caplog: pytest.LogCaptureFixture) -> None:
    assert logger("datastill.b") is logger("datastill.b") is logging.getLogger("datastill.b")
    logger("datastill.b").warning("a\\b\n")
    assert caplog.messages == [r"a\b\n"]


def test_a_file_that_is_named_in_no_known_encoding_is_logged_as_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_classes(tmp_path, {"cat": 9, "dog": 9})
    (tmp_path / "\udce9.png").write_bytes((tmp_path / "cat" / "0.png").read_bytes())
    load(f"folder:{tmp_path}")
    assert r"in no class folder, such as \udce9.png" in caplog.text
    caplog.text.encode()
