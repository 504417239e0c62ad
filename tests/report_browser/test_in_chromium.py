"""What a person with a browser has of a report: with a mouse, a keyboard, a screen reader, a phone, a printer."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, Page

from toolkit.paths import assets
from toolkit.report.render import page

from ..report.runs import one_run
from .conftest import REPORTS, Opened
from .palette_png import with_palette

WIDTHS = (390, 820, 1440)
_LARGEST_PICTURE = 150_000

INK = """
canvas => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200) colours.add(data.slice(at, at + 3).join());
  return colours.size;
}
"""


MEAN_DIFFERENCE = """
async sources => {
  const [one, other] = await Promise.all(sources.map(async source => {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height).data;
  }));
  return one.reduce((sum, value, at) => sum + Math.abs(value - other[at]), 0) / one.length;
}
"""


def violations(shown: Page) -> list[dict[str, Any]]:
    """What axe-core finds: every rule, with what has it."""
    shown.evaluate(Path(AXE_FILE_PATH).read_text())
    found = shown.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [{"rule": one["id"], "where": [node["target"] for node in one["nodes"]][:3]} for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_axe_finds_nothing(opened: Opened, name: str, scheme: str) -> None:
    shown = opened(name, 1440, scheme)
    for details in shown.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    assert violations(shown) == []


@pytest.mark.parametrize("width", [320, *WIDTHS])
@pytest.mark.parametrize("name", REPORTS)
def test_no_page_scrolls_sideways(opened: Opened, name: str, width: int) -> None:
    shown = opened(name, width)
    assert shown.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_in_more_than_one_colour(opened: Opened, scheme: str) -> None:
    shown = opened("one", 1440, scheme)
    drawn = [canvas.evaluate(INK) for canvas in shown.locator("canvas").all()]
    assert len(drawn) == 8
    assert min(drawn) > 10


def test_charts_follow_the_colour_scheme_and_the_width(opened: Opened) -> None:
    shown = opened("one", 1440, "light")
    label = "document.querySelector('.uplot canvas').getContext('2d').canvas.toDataURL()"
    light = shown.evaluate(label)
    shown.emulate_media(color_scheme="dark")
    shown.wait_for_function(f"before => {label} !== before", arg=light)
    shown.set_viewport_size({"width": 390, "height": 800})
    shown.wait_for_function("document.querySelector('.uplot').clientWidth <= 350")


def test_the_search_shows_lines_with_the_words_of_a_rank(opened: Opened) -> None:
    shown = opened("one")
    rows = shown.locator(".log tbody tr:visible")
    assert rows.count() == 165
    shown.get_by_label("Search").fill("EPOCH 7/")
    shown.locator(".found").get_by_text("4 of 165 lines").wait_for()
    assert rows.count() == 4
    assert shown.locator(".log mark").all_text_contents() == ["epoch 7/"] * 4
    shown.get_by_label("Rank", exact=True).select_option("2")
    shown.locator(".found").get_by_text("1 of 165 lines").wait_for()
    assert rows.locator("td:nth-child(2)").all_text_contents() == ["2"]
    shown.get_by_label("Search").fill("")
    shown.locator(".found").get_by_text("41 of 165 lines").wait_for()
    assert shown.locator(".log mark").count() == 0


def test_a_chart_is_read_with_the_keyboard(opened: Opened) -> None:
    shown = opened("one")
    plot = shown.get_by_role("group", name="loss")
    plot.focus()
    plot.press("Home")
    legend = shown.locator("[data-legend=t0]")
    legend.get_by_text("step 30", exact=True).wait_for()
    plot.press("ArrowRight")
    legend.get_by_text("step 60", exact=True).wait_for()
    plot.press("End")
    legend.get_by_text("step 9000", exact=True).wait_for()


def test_a_line_is_hidden_and_shown_with_the_keyboard(opened: Opened) -> None:
    button = opened("one").locator("[data-legend=t0] button").first
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    button.press("Space")
    assert button.get_attribute("aria-pressed") == "true"


def test_rows_of_many_hosts_scroll_with_the_keyboard_in_a_box_with_its_axis_below(opened: Opened) -> None:
    shown = opened("many")
    box = shown.get_by_role("group", name="Rows of the timeline", exact=True)
    assert box.bounding_box()["height"] < 600  # type: ignore[index]
    box.focus()
    shown.keyboard.press("End")
    shown.wait_for_function("() => { const box = document.querySelector('.many'); return box.scrollTop > 0; }")
    assert box.get_by_text("p100-64").is_visible()
    edge = "getBoundingClientRect().bottom"  # of both at once: the page may still be scrolling
    assert abs(box.evaluate(f"one => one.{edge} - one.querySelector('.axis').{edge}")) < 2


def test_the_stages_of_every_host_are_in_a_table(opened: Opened) -> None:
    shown = opened("many", script=False)
    shown.locator("#time summary").click()
    assert shown.locator("#time table.each tbody tr").count() == 64
    row = shown.locator("#time table.each tbody tr", has_text="p100-64").locator("td")
    assert row.nth(2).inner_text() == "11.1 s"
    assert "p100-64: 90.00 s ahead" in shown.locator("#time details").inner_text()


def test_many_hosts_print_with_every_row(opened: Opened) -> None:
    shown = opened("many")
    shown.emulate_media(media="print")
    box = shown.locator(".many").first
    assert box.evaluate("one => one.scrollHeight === one.clientHeight")


def test_the_first_stop_of_the_tab_key_skips_to_the_report(opened: Opened) -> None:
    shown = opened("one")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.textContent") == "Skip to the report"


def test_without_javascript_all_tables_and_the_log_are_there(opened: Opened) -> None:
    shown = opened("one", script=False)
    assert shown.locator(".log tbody tr").count() == 165
    assert shown.get_by_label("Search").is_hidden()
    assert shown.locator("figure table").count() == 8
    assert "need JavaScript" in shown.locator("noscript").inner_text()


def test_a_hostile_text_runs_nothing_and_is_shown(opened: Opened) -> None:
    shown = opened("hostile")
    shown.on("dialog", lambda dialog: pytest.fail(dialog.message))
    shown.get_by_label("Search").fill("<script>")
    shown.locator(".found").get_by_text("1 of 1 lines").wait_for()
    assert "</script><script>alert(1)</script>" in shown.locator(".log").inner_text()
    assert shown.locator("script").count() == 2


def test_it_prints_in_light_colours_with_everything_opened(opened: Opened) -> None:
    shown = opened("one", 1440, "dark")
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
    assert shown.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')") == "#fcfcfa"
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not shown.evaluate("[...document.querySelectorAll('details')].some(one => one.open)")
    assert shown.pdf().startswith(b"%PDF")


def test_the_page_of_a_run_that_lasts_is_loaded_again_unless_someone_searches(opened: Opened, tmp_path: Path) -> None:
    file = tmp_path / "live.html"
    file.write_text(page(replace(one_run(), refresh=1)), encoding="utf-8")
    shown = opened("bare")
    shown.goto(file.as_uri())
    shown.evaluate("window.loaded = 'first'")
    shown.wait_for_function("() => window.loaded === undefined")
    shown.get_by_label("Search").fill("epoch")
    shown.evaluate("window.loaded = 'second'")
    shown.wait_for_timeout(2500)
    assert shown.evaluate("window.loaded") == "second"


def test_a_picture_with_a_palette_is_the_same_to_the_eye_and_smaller(opened: Opened, browser: Browser) -> None:
    shown = opened("one", 390)
    shown.set_viewport_size({"width": 390, "height": 600})
    picture = shown.screenshot(animations="disabled")
    small = with_palette(picture)
    assert len(small) < 0.7 * len(picture)
    sources = [f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in (picture, small)]
    page = browser.new_page()
    assert page.evaluate(MEAN_DIFFERENCE, sources) < 0.25
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_screenshots(opened: Opened, tmp_path: Path, width: int, scheme: str) -> None:
    """With REPORT_SCREENSHOTS=FILE, those of docs/report.md are written, of that report."""
    report = os.environ.get("REPORT_SCREENSHOTS", "")
    folder = assets() / "docs" / "report" if report else tmp_path
    file = folder / f"{width}-{scheme}.png"
    shown = opened("one", width, scheme)
    if report:
        shown.goto(Path(report).resolve().as_uri())
    bottom = shown.locator("figure.chart").first.evaluate("one => one.getBoundingClientRect().bottom")
    shown.set_viewport_size({"width": width, "height": round(bottom) + 8})
    picture = shown.screenshot(animations="disabled")
    file.write_bytes(with_palette(picture) if report else picture)
    assert 10_000 < file.stat().st_size < (_LARGEST_PICTURE if report else 2 * _LARGEST_PICTURE)
