from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from datastill.errors import UserError
from datastill.runs import Run
from datastill.runs.configuration import plain, read_configuration, write_configuration

CONFIG: dict[str, Any] = {
    "data": {"name": "folder:/übung/\udce9", "mean": [0.1 + 0.2, 1e-5], "held_out": 0.1},
    "method": {"name": "dm", "encoders": {"matching": {"every": 2}}, "learning_rate": 1e20},
    "ipc": 2,
    "iterations": 40,
    "engine": {"device": "cpu", "micro_batch": None},
    "asked": None,
    "made_by": {"commit": "abc", "machine": {"cores": 2, "processor": "x"}},
    "continued_by": [{"commit": "def"}],
    "encoders": {},
}


def test_values_come_back_without_the_checksum(tmp_path: Path) -> None:
    write_configuration(tmp_path / "config.yaml", {**CONFIG, "seeds": (1, 2)})
    assert read_configuration(tmp_path / "config.yaml") == {**CONFIG, "seeds": [1, 2]}
    assert (tmp_path / "config.yaml").read_text().splitlines()[-1].startswith("checksum: ")


def test_a_changed_file_is_refused_with_the_way_out_or_taken_where_it_may_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    write_configuration(path, CONFIG)
    path.write_text(path.read_text().replace("iterations: 40", "iterations: 90"))
    with pytest.raises(UserError, match=r"config.yaml is damaged, or was changed by hand.*remove its last line, the checksum, to take it"):
        read_configuration(path)
    assert read_configuration(path, changed=True) == {**CONFIG, "iterations": 90}
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    assert read_configuration(path) == {**CONFIG, "iterations": 90}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"continued_by": 3}, "continued_by must be a list, got '3'"),
        ({"continued_by": [3]}, "continued_by.0 must be a mapping, got '3'"),
        ({"made_by": "me"}, "made_by must be a mapping, got 'me'"),
        ({"made_by": {"commit": 7}}, "made_by.commit must be text, got '7'"),
        ({"made_by": {"machine": {"cores": [2]}}}, "made_by.machine.cores"),
        ({"method": None}, "method must be a mapping, got 'None'"),
        ({"method": {"encoders": [1]}}, "method.encoders must be a mapping"),
        ({"method": {"encoders": {"matching": {"every": 0}}}}, "method.encoders.matching.every must be at least 1, got '0'"),
        ({"iterations": 2.9}, "iterations must be a whole number, got '2.9'"),
        ({"ipc": True}, "ipc must be a whole number, got 'True'"),
        ({"encoders": {"pretrained 0": 3}}, "encoders.pretrained 0 must be text"),
    ],
)
def test_values_of_other_types_are_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    for write in (write_configuration, lambda path, config: path.write_text(yaml.safe_dump(config))):
        write(tmp_path / "config.yaml", {**CONFIG, **change})
        with pytest.raises(UserError, match=f"^{tmp_path}/config.yaml is damaged: {said}"):
            Run(tmp_path).config()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000, b"- 1", b"3", b"", b"\xff\xfe\x00", b"a: !!python/object/apply:os.system [ls]", b"? [1, 2]\n: 3", b"1: 2",
        b"a: 2024-99-99", b"a: &x [1]\nb: *x", b"a: " + b"9" * 5000, b"\x00", b"a: {", b"--- 1\n--- 2", b"a: !!float x", b"&a [*a]",
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    for changed in (False, True):
        with pytest.raises(UserError, match=r"^[^\n]*config.yaml (is damaged|cannot be read)[^\n]*$"):
            read_configuration(tmp_path / "config.yaml", changed=changed)


def test_a_small_file_does_not_become_a_large_structure(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    (tmp_path / "config.yaml").write_text("\n".join(lines))
    with pytest.raises(UserError, match="it holds references"):
        read_configuration(tmp_path / "config.yaml")


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_configuration(tmp_path / "config.yaml") is None
    (tmp_path / "file").write_text("")
    assert read_configuration(tmp_path / "file" / "config.yaml") is None
    assert plain((1, {"a": (2,)})) == [1, {"a": [2]}]
