from __future__ import annotations

import json
from pathlib import Path

from commands import TINY_RUN
from datastill.cli import main
from datastill.distilled import DistilledSet


def test_the_evaluation_of_a_set_with_parts_is_taken_for_its_own(tmp_path: Path) -> None:
    folder, evaluation = tmp_path / "run", tmp_path / "evaluation.json"
    main(["distill", "digits", *TINY_RUN, "--set", "factor=2", "--out", str(folder)])
    main(["evaluate", str(folder), "--epochs", "1", "--repeats", "1", "--compare", "random", "--out", str(evaluation)])
    found = json.loads(evaluation.read_text())
    assert (found["images"], found["trained_on"], len(DistilledSet.load(folder))) == (10, 40, 40)
    main(["show", str(folder), "--evaluation", str(evaluation), "--out", str(tmp_path / "picture.png")])
    assert (tmp_path / "picture.png").exists()
