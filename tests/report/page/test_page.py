"""A page of runs is one file that fetches nothing, shows every text as it is, and says what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

import datastill
from commands import refusal
from datastill import Protocol
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.evaluation.evaluate import evaluate
from datastill.experiments.stored import write_record
from datastill.files import sealed
from datastill.report.page import html, write_report
from datastill.report.page.insight import FILE, look_at
from datastill.report.page.model import Subject
from datastill.report.page.rendering import shown
from records import record
from run_folders import method, run
from tiny_sets import distilled_set

HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(2)>", "👩\u200d🚀 {{ 7 * 7 }} \u202e</script>")


class Parsed(HTMLParser):
    """The elements of a page, and what its scripts and styles hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.blocks.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.blocks[-1] += data
        else:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(name)) is not None]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of two classes of the digits, one of them evaluated."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("dm", "dm+cm"):
        datastill.distill("digits[0,1]", method=method(name), ipc=2, iterations=2, out=folder / name, validate_at=[2], engine=Engine(),
                          validation_protocol=Protocol(epochs=1))  # fmt: skip
    found = evaluate(folder / "dm", repeats=2, compare=["random"], protocol=Protocol(epochs=1), engine=Engine())
    (folder / "dm" / "evaluation.json").write_text(json.dumps(sealed(found.describe())))
    return [folder / "dm", folder / "dm+cm"]


def test_it_holds_everything_and_fetches_nothing(pair: list[Path], tmp_path: Path) -> None:
    out = write_report(list(map(str, pair)), tmp_path / "page.html", engine=Engine())
    page = out.read_text()
    parsed = Parsed(page)
    addresses = [*parsed.values("src"), *parsed.values("href"), *parsed.values("data-real")]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert {"data-score", "data-seen", "data-realclass"} <= {name for _, attributes in parsed.elements for name in attributes}
    for part in (
        "Scores",
        "Evolution",
        "Curves",
        "Map",
        "Mistakes",
        "Repeat it",
        "a random real subset of the same size",
        "Not evaluated yet",
    ):
        assert part in parsed.text
    assert f"datastill distill --config {pair[0]}/config.yaml" in parsed.text
    assert not parsed.values("style") + parsed.values("onclick")
    assert len(page) < 600_000


def test_its_policy_allows_its_own_scripts_and_nothing_else(pair: list[Path], tmp_path: Path) -> None:
    page = write_report([str(pair[0])], tmp_path / "page.html", look=False).read_text()
    parsed = Parsed(page)
    policy = next(attributes["content"] or "" for tag, attributes in parsed.elements if attributes.get("http-equiv"))
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    data, *_ = (block for block in parsed.blocks if block.startswith("{"))
    hashes = {base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in parsed.blocks if block != data}
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert hashes == allowed
    assert "unsafe" not in policy


def test_names_are_shown_and_never_executed(tiny: DataSet, tmp_path: Path) -> None:
    run(replace(tiny, class_names=HOSTILE), tmp_path / "run", iterations=1)
    page = write_report([str(tmp_path / "run")]).read_text()
    parsed = Parsed(page)
    assert "{{ 7 * 7 }}" in parsed.text
    assert HOSTILE[0] in parsed.text
    assert shown(HOSTILE[2]) in parsed.text
    assert "\u202e" not in page
    assert "the real images could not be read" in parsed.text
    assert not {"onerror", "x"} & {*(name for _, attributes in parsed.elements for name in attributes), *parsed.values("src")}
    assert [tag for tag, _ in parsed.elements].count("script") == 4  # the figures, D3, the charts, the gallery


def test_what_a_network_said_is_kept_for_the_set_that_it_saw(pair: list[Path], tmp_path: Path, tiny: DataSet) -> None:
    name, out = str(pair[1]), tmp_path / "page.html"
    write_report([name], out, engine=Engine())
    seen = Parsed(out.read_text()).values("data-score")
    assert Parsed(write_report([name], out, look=False).read_text()).values("data-score") == seen != []
    before = (pair[1] / FILE).read_bytes()
    (pair[1] / FILE).write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert "left out with --quick" in write_report([name], out, look=False).read_text()
    (pair[1] / FILE).write_bytes((pair[0] / FILE).read_bytes() if (pair[0] / FILE).exists() else before[:100])
    assert "left out with --quick" in write_report([name], out, look=False).read_text()


def test_the_nearest_real_image_of_a_real_image_is_itself(tiny: DataSet) -> None:
    rows = torch.tensor([3, 12 + 5, 24 + 1])
    images = tiny.normalise(tiny.train.gather(rows))
    distilled = replace(distilled_set(tiny.class_names, ipc=1, size=(8, 8)), images=images)
    found = look_at([distilled, distilled], tiny, Engine())
    for insight in found:
        assert torch.equal(insight.nearest, tiny.train.gather(rows))
        assert insight.nearest_label.tolist() == [0, 1, 2]
        assert float(insight.distance.max()) == pytest.approx(0, abs=1e-2)
        assert len(insight.real_points) == len(tiny.train)
        shown_at = insight.points[0] - insight.real_points
        assert float(shown_at.norm(dim=1).min()) == pytest.approx(0, abs=1e-2)
        assert ((insight.score >= 0) & (insight.score <= 1)).all()


def test_500_images_of_noise_and_more_stay_below_3_megabytes() -> None:
    names = tuple(f"class {number}" for number in range(10))
    noise = distilled_set(names, ipc=50, size=(32, 32))
    page = html([Subject(f"run {number}", "", None, noise, {}, "", (), (), ()) for number in range(2)], look=False)
    assert 1_500_000 < len(page) < 3_000_000
    assert re.search(r"\d+ of 500 images are shown, to keep the page small", page)


def test_a_page_of_records_alone(tmp_path: Path) -> None:
    write_record(record(comparisons={"random": (30.0, 34.0)}, curve=[(0, 20.0), (30, 41.0)]), tmp_path / "table" / "dm")
    page = write_report([str(tmp_path / "table")], tmp_path / "page.html").read_text()
    parsed = Parsed(page)
    assert "+13.0 points compared with random real images" in parsed.text
    assert "The set itself is not kept with the record" in parsed.text
    assert "datastill distill digits --method dm --ipc 2 --seed 0 --iterations 30" in parsed.text
    data = json.loads(next(block for block in parsed.blocks if block.startswith("{")))
    assert data["runs"][0]["curves"]["validation_accuracy"] == [[0, 20.0], [30, 41.0]]


def test_what_cannot_be_shown_is_said_in_one_line(capsys: pytest.CaptureFixture[str], tiny: DataSet, tmp_path: Path) -> None:
    assert "nothing to report: give folders of runs" in refusal(capsys, "report")
    assert "unknown run, folder or experiment 'nothing-here'" in refusal(capsys, "report", "nothing-here")
    assert "there is no runs/none: expected a run's folder" in refusal(capsys, "report", "runs/none")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"no run in {empty}: expected a folder with the config.yaml of a run" in refusal(capsys, "report", str(empty))
    run(tiny, tmp_path / "run", iterations=2)
    capsys.readouterr()
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(sealed({"accuracies": [120.0]})))
    assert "evaluation.json is damaged: " in refusal(capsys, "report", str(tmp_path / "run"))
    (tmp_path / "run" / "distilled" / "images.safetensors").unlink()
    assert "is not finished: 2 of 2 iterations; continue it with `datastill resume`" in refusal(capsys, "report", str(tmp_path / "run"))
    assert f"{tmp_path / 'run' / 'config.yaml'} is a file" in refusal(capsys, "report", str(tmp_path / "run" / "config.yaml"))
    for number in range(9):
        write_record(record(), tmp_path / "many" / f"row{number}")
    assert "has 9 sets, and a page shows at most 8: give some of them, such as " in refusal(capsys, "report", str(tmp_path / "many"))


def test_soft_labels_are_shown_by_their_class(tmp_path: Path) -> None:
    from tiny_sets import soft_set

    soft: DistilledSet = soft_set("logits")
    parsed = Parsed(html([Subject("soft", "", None, soft, {}, "", (), (), ())], look=False))
    assert [value for value in parsed.values("alt") if value.startswith("ship")] == ["ship, image 1", "ship, image 2"]
