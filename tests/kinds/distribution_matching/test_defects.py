"""What went wrong once: steps and targets that must not do so again."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from datastill import Term, UserError
from datastill.data import DataSet
from datastill.kinds.distribution_matching.kept import described
from run_folders import run
from small_methods import opened, small


def test_a_step_that_throws_the_pixels_away_stops_the_run_before_it_is_kept(tiny: DataSet, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pixels of an image are not finite after iteration 1, .*: lower a term's weight"):
        run(tiny, tmp_path / "run", 1, method=small("dm", learning_rate=1e38))
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert opened(small("dm", learning_rate=1e3), tiny).step(0)["loss"] > 0  # far, but no further than numbers go


MODULE = """
from dataclasses import dataclass
from datastill.terms import MeanMatching

@dataclass(frozen=True)
class Parent(MeanMatching):
    def target(self, real):
        return {"mean": %s * real.embedding.mean(1)}

@dataclass(frozen=True)
class Child(Parent):
    name = "child"
"""


def users_term(folder: Path, factor: int) -> Term:
    """A term of a user's own, from a file that they have edited."""
    folder.mkdir()
    (folder / "users_terms.py").write_text(MODULE % factor)
    specification = spec_from_file_location("users_terms", folder / "users_terms.py")
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules["users_terms"] = module_from_spec(specification)
    specification.loader.exec_module(module)
    term = module.Child()
    assert isinstance(term, Term)
    return term


def test_a_kept_target_is_not_found_again_once_a_class_that_its_term_inherits_from_has_changed(tmp_path: Path) -> None:
    before, same, after = (described(users_term(tmp_path / name, factor)) for name, factor in (("a", 1), ("b", 1), ("c", 2)))
    del sys.modules["users_terms"]
    assert before == same
    assert before != after
