"""Pages in a headless Chromium: what a reader does with mouse and keyboard works, nothing is fetched, and axe finds no fault."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.experiments import Block, Experiment, Row
from datastill.experiments.stored import write_record
from datastill.report.page import html
from datastill.report.page.insight import keep, look_at
from datastill.report.page.model import Bar, Scores, Subject
from datastill.report.page.site import write_site
from records import record
from run_folders import method, run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'datastill[browser-tests]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed: pip install 'datastill[browser-tests]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the system's package chromium")
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "cifar10-dm-iid.html"
"""The published report: `dm` beside `dm+iid` on CIFAR-10."""
NAMES = ("<img src=x onerror=alert(1)>", '"mid\'dle"', "👩\u200d🚀 right")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tiny: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two runs with everything on it."""
    folder = tmp_path_factory.mktemp("page")
    named = replace(tiny, class_names=NAMES)
    subjects = []
    for name in ("dm", "dm+cm"):
        distilled = run(named, folder / name, iterations=3, method=method(name))
        scores = Scores("tiny", (Bar.of("this set", (60.0, 70.0)), Bar.of("random", (50.0, 51.0))), ((3, 1, 0),) * 3, NAMES)
        figures = [{"iteration": at, "loss": 30.0 / at, "mm": 2.0 * at} for at in (1, 2, 3)]
        subjects.append(Subject(name, "", folder / name, distilled, {"method.name": name}, "", figures, (scores,), ("datastill",)))
    sets = [subject.distilled for subject in subjects if subject.distilled is not None]
    for subject, found in zip(subjects, look_at(sets, named, Engine()), strict=True):
        keep(found, subject.distilled, subject.folder)
    (folder / "page.html").write_text(html(subjects, look=False), encoding="utf-8")
    return folder / "page.html"


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """Opens a page in which nothing may go wrong and from which nothing may be asked."""
    wrong: list[str] = []
    contexts = []

    def refuse(dialog: Any) -> None:
        wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(path: Path, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("dialog", refuse)
        page.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith(("data:", path.parent.as_uri())) else None)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def serious(page: Any) -> list[str]:
    found = axe.Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_accessible(report: Path, opened: Any, scheme: str) -> None:
    page = opened(report, viewport={"width": 360, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert serious(page) == []


def test_images_are_filtered_enlarged_and_explained(report: Path, opened: Any) -> None:
    page = opened(report)
    image = page.locator(".gallery button img").first
    before = image.bounding_box()["width"]
    page.locator("#zoom").focus()
    page.keyboard.press("End")
    assert image.bounding_box()["width"] == 8 * float(page.locator("#zoom").get_attribute("max")) > before
    page.locator("#class-filter").select_option(label=NAMES[2])
    assert page.locator(".gallery .class:visible").count() == 2
    page.locator(".gallery button:visible").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#detail-title").text_content() == f"{NAMES[2]}, image 1"
    assert page.locator("#detail-score").text_content().endswith("%")
    assert page.locator("#detail-real").get_attribute("src").startswith("data:image/webp")
    page.keyboard.press("ArrowRight")
    assert page.locator("#detail-title").text_content() == f"{NAMES[2]}, image 2"
    page.keyboard.press("Escape")
    assert not page.locator("#detail").is_visible()
    page.locator("#class-filter").select_option(label=NAMES[0])
    assert page.locator("h4 bdi:visible").first.text_content() == NAMES[0]


def test_the_slider_shows_earlier_images(report: Path, opened: Any) -> None:
    page = opened(report)
    image = page.locator(".frames img").first
    last = image.get_attribute("src")
    page.locator("#moment").focus()
    page.keyboard.press("Home")
    assert page.locator("#moment-value").text_content() == "0"
    assert page.locator("#moment").get_attribute("aria-valuetext") == "iteration 0"
    assert image.get_attribute("src") != last
    page.keyboard.press("End")
    assert image.get_attribute("src") == last


def test_curves_are_read_by_pointing_and_by_keys(report: Path, opened: Any) -> None:
    page = opened(report)
    chart = page.locator("#curve-charts .chart").first
    chart.locator("svg").hover(position={"x": 60, "y": 60})
    assert chart.locator(".readout").text_content() == "iteration 1: dm 30, dm+cm 30"
    chart.locator("svg").focus()
    page.keyboard.press("ArrowRight")
    assert chart.locator(".readout").text_content() == "iteration 2: dm 15, dm+cm 15"


def test_the_map_is_zoomed_filtered_and_walked_through(report: Path, opened: Any) -> None:
    page = opened(report)
    layer = page.locator("#map-chart svg g").first
    page.locator("#map-in").click()
    assert "scale(1.5)" in layer.get_attribute("transform")
    page.locator("#map-reset").click()
    assert "scale(1)" in layer.get_attribute("transform")
    page.locator("#map-filter").select_option(label=NAMES[1])
    assert page.locator("#map-chart .off").count() == (36 + 12) * 2 // 3
    page.locator("#map-chart svg").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#map-chart .readout").text_content() == f"dm: {NAMES[1]}, image 3 of the set"
    page.locator("#map-chart path.synthetic:not(.off)").last.hover(force=True)
    assert "image" in page.locator("#map-chart .readout").text_content()


def test_the_published_report_is_explored(opened: Any) -> None:
    page = opened(EXAMPLE)
    image = page.locator(".gallery button img").first
    before = image.bounding_box()["width"]
    page.locator("#zoom").focus()
    page.keyboard.press("End")
    assert image.bounding_box()["width"] > before
    page.locator("#class-filter").select_option(label="frog")
    assert page.locator(".gallery .class:visible").count() == 2
    page.locator(".gallery button:visible").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#detail-title").text_content() == "frog, image 1"
    page.keyboard.press("Escape")
    frame = page.locator(".frames img").first
    last = frame.get_attribute("src")
    page.locator("#moment").focus()
    page.keyboard.press("Home")
    assert frame.get_attribute("src") != last
    chart = page.locator("#curve-charts .chart").first
    chart.locator("svg").hover(position={"x": 60, "y": 60})
    assert chart.locator(".readout").text_content().startswith("iteration ")
    page.locator("#map-filter").select_option(label="truck")
    page.locator("#map-chart svg").focus()
    page.keyboard.press("ArrowRight")
    assert "truck" in page.locator("#map-chart .readout").text_content()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_published_report_fits_screens_and_is_accessible(opened: Any, scheme: str, width: int) -> None:
    page = opened(EXAMPLE, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert serious(page) == []
    assert EXAMPLE.stat().st_size < 3e6


def test_the_table_of_results_is_sorted_filtered_and_leads_to_pages(tmp_path: Path, opened: Any) -> None:
    table = Experiment("A table", (Block("digits", (2, 5), 30, repeats=2),), (Row("dm"), Row("dm+cm")))
    for number, cell in enumerate(table.cells("table", {"table": table})):
        write_record(record(cell, (40.0 + number, 50.0)), tmp_path / "results" / cell.name)
    write_site(tmp_path / "results", tmp_path / "site", {"table": table})
    page = opened(tmp_path / "site" / "index.html")
    assert serious(page) == []

    def accuracies() -> list[str]:
        return [str(text) for text in page.locator("#table tbody tr:visible .accuracy").all_text_contents()]

    page.get_by_role("button", name="accuracy %").click()
    assert accuracies() == ["46.50", "46.00", "45.50", "45.00"]
    page.keyboard.press("Enter")
    assert accuracies() == ["45.00", "45.50", "46.00", "46.50"]
    page.get_by_label("IPC").select_option("5")
    assert page.locator("#count").text_content() == "2 of 4 rows"
    page.get_by_label("Method or table").fill("dm+cm")
    assert accuracies() == ["46.50"]
    page.get_by_role("link", name="46.50").click()
    assert "dm+cm on digits" in page.locator("h1").text_content()
    page.get_by_role("link", name="All results").click()
    assert page.locator("#table").is_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    box = page.locator("#table .accuracy").first.bounding_box()
    assert box["x"] + box["width"] <= 390, "a phone shows the accuracy without scrolling"
