from __future__ import annotations

import _ctypes
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from datastill.engine import Engine, hardware
from datastill.engine.compiling import KEPT_IN, keep_compiled, why_unsafe
from datastill.errors import UserError


def test_compiled_code_is_kept_with_the_other_caches_unless_the_user_says_where(
    environment: Callable[[Mapping[str, object]], None],
) -> None:
    environment({"DATASTILL_CACHE": "/somewhere", KEPT_IN: None})
    keep_compiled()
    assert os.environ[KEPT_IN] == "/somewhere/compiled"
    environment({KEPT_IN: "/elsewhere"})
    keep_compiled()
    assert os.environ[KEPT_IN] == "/elsewhere"


def test_the_folder_that_torch_chooses_by_itself_is_not_the_users_choice(environment: Callable[[Mapping[str, object]], None]) -> None:
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    environment({"DATASTILL_CACHE": "/somewhere", KEPT_IN: None})
    with FlopCounterMode(display=False):
        torch.zeros(2, 2) @ torch.zeros(2, 2)
    assert cache_dir() == os.environ[KEPT_IN]  # what counting operations does the first time
    keep_compiled()
    assert os.environ[KEPT_IN] == "/somewhere/compiled"


@pytest.mark.parametrize("variable", ["DATASTILL_CACHE", KEPT_IN, "TMPDIR"])
def test_nothing_is_compiled_where_other_users_could_put_their_code(
    tmp_path: Path, environment: Callable[[Mapping[str, object]], None], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("DATASTILL_CACHE", KEPT_IN, "TMPDIR"):
        (tmp_path / name).mkdir(mode=0o700)
        environment({name: tmp_path / name})
    monkeypatch.setattr(tempfile, "tempdir", None)
    if variable != KEPT_IN:
        environment({KEPT_IN: None})
    assert why_unsafe() == ""
    (tmp_path / variable).chmod(0o777)
    said = rf"compiled code would be loaded from {tmp_path / variable}\S*, and other users can write to .*, or set {variable} to a folder"
    with pytest.raises(UserError, match=said):
        Engine(compiled=True).compile(lambda value: (value,))
    if any(map(shutil.which, hardware.COMPILERS)):
        with pytest.raises(UserError, match=said):
            Engine.choose(device="cpu", compile=True)
        assert not Engine.choose(device="cpu", cost=1e20).compiled


def test_the_folder_of_compiled_code_is_made_for_this_user_alone(
    tmp_path: Path, environment: Callable[[Mapping[str, object]], None]
) -> None:
    environment({"DATASTILL_CACHE": tmp_path / "cache", KEPT_IN: None})
    before = os.umask(0)
    try:
        tmp_path.joinpath("cache").mkdir(mode=0o755)
        assert why_unsafe() == ""
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "cache" / "compiled").stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path, environment: Callable[[Mapping[str, object]], None]) -> None:
    (tmp_path / "file").write_text("")
    environment({KEPT_IN: tmp_path / "file" / "deep"})
    assert why_unsafe().startswith(
        f"cannot write {tmp_path / 'file' / 'deep'} ({tmp_path / 'file'} is a file, not a folder); choose another folder"
    )
    assert why_unsafe().endswith(f"or set {KEPT_IN} to a folder of your own, which compiled code is kept in")


@pytest.mark.skipif(not Path(_ctypes.__file__).read_bytes().startswith(b"\x7fELF\x02"), reason="libraries here are not ELF of 64 bits")
def test_libraries_of_which_a_killed_linker_wrote_a_part_are_removed(
    tmp_path: Path, environment: Callable[[Mapping[str, object]], None]
) -> None:
    environment({KEPT_IN: tmp_path})
    folder, whole = tmp_path / "ab", Path(_ctypes.__file__).read_bytes()
    folder.mkdir()
    for name, content in {"whole": whole, "empty": b"", "header": whole[:64], "part": whole[:-1], "written now": whole[:-1]}.items():
        library = folder / f"{name}.so"
        library.write_bytes(content)
        if name != "written now":
            os.utime(library, (0, 0))
    assert why_unsafe() == ""
    assert sorted(path.stem for path in folder.iterdir()) == ["whole", "written now"]
