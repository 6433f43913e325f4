"""What the archiver's page shows and does, in a real browser."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from page_support import (
    EVIL,
    STATE,
    TEMPERATURE,
    WAVE,
    S,
    needs_browser,
    plotted,
    pv_of,
    row,
    start_of,
    table_of,
    until,
    wait_for_text,
)

from linacre.archiver.http.settings import hash_token
from linacre.archiver.model import ChannelSpec, Kind, Metadata
from linacre.archiver.service import ChannelState

pytestmark = needs_browser

TOKEN = "a-token-of-the-tests"


def test_the_pvs_are_shown_with_state_and_value(opened: Any) -> None:
    page, _ = opened()
    assert page.title() == "study: archiver"
    wait_for_text(page, "#mode", "archiving")
    wait_for_text(page, "#facts", "4 of 4 connected")
    wait_for_text(page, "#facts", "a.physicist")
    shown = row(page, STATE)
    shown.filter(has_text="Standby").wait_for()
    assert "connected" in shown.inner_text()
    assert "[1, 2]" in row(page, WAVE).inner_text()


def test_a_name_is_shown_and_never_run(opened: Any) -> None:
    page, _ = opened()
    page.get_by_role("button", name=EVIL, exact=True).click()
    wait_for_text(page, "#legend", EVIL)
    plotted(page)
    page.get_by_label(f"Tick {EVIL}").check()
    page.get_by_role("button", name="Remove…").click()
    wait_for_text(page, "#lost-names", EVIL)
    page.keyboard.press("Escape")
    page.get_by_label(f"Details of {EVIL}").click()
    wait_for_text(page, "#details-title", EVIL)
    assert page.locator("img").count() == 0
    assert page.title() == "study: archiver"


def test_a_year_is_plotted_quickly_and_zoomed_by_dragging(opened: Any) -> None:
    page, _ = opened()
    page.get_by_role("button", name=TEMPERATURE, exact=True).click()
    plotted(page)
    page.get_by_role("button", name="1 year").click()
    wait_for_text(page, "#told", "band")
    assert int(plotted(page).split(" ")[0].replace(",", "")) > 400_000
    wait_for_text(page, "#legend", "degC")
    start = start_of(page)
    box = page.locator("#plot .u-over").bounding_box()
    across = box["y"] + box["height"] / 2
    with page.expect_request(lambda asked: "/bins" in asked.url) as bins:
        page.mouse.move(box["x"] + box["width"] * 0.5, across)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, across, steps=4)
        page.mouse.up()
    assert "n=" in bins.value.url
    until(page, lambda: start_of(page) > start)
    page.get_by_role("button", name="Back", exact=True).click()
    # The range ends now again, which is a little later.
    until(page, lambda: start_of(page)[:10] == start[:10])
    page.locator("#plot").focus()
    page.keyboard.press("+")
    until(page, lambda: start_of(page) > start)


def test_a_reload_shows_the_same_plot(opened: Any) -> None:
    page, _ = opened()
    page.get_by_role("button", name=STATE, exact=True).click()
    page.get_by_role("button", name="1 day").click()
    plotted(page)
    page.reload()
    wait_for_text(page, "#legend", STATE)
    wait_for_text(page, "#legend", "Standby")
    assert page.get_by_role("button", name="1 day").get_attribute("aria-pressed") == "true"


def test_what_has_no_numbers_is_not_plotted_and_told(opened: Any) -> None:
    page, archiver = opened()
    archiver.reader.held["CLA:TEXT"] = pv_of(Kind.STRING, ["idle"], end_ns=time.time_ns())
    like = archiver.control.channels[WAVE]
    spec = ChannelSpec(pv="CLA:TEXT")
    archiver.control.channels["CLA:TEXT"] = replace(like, spec=spec, kind=Kind.STRING)
    page.get_by_role("button", name="CLA:TEXT", exact=True).click()
    wait_for_text(page, "#error", "CLA:TEXT cannot be plotted")


def test_arrays_are_drawn_as_they_were_at_the_pointer(opened: Any) -> None:
    page, archiver = opened()
    first, last = [0.0, 5.0, 1.0], [2.0, 3.0, 4.0, 5.0]
    # In the last ten minutes: the first at their begin, the last in their middle.
    wave = pv_of(Kind.FLOAT64_ARRAY, [first, last], end_ns=time.time_ns(), step_s=300)
    archiver.reader.held[WAVE] = replace(wave, metadata=Metadata(units="MW"))
    page.get_by_role("button", name="10 min").click()
    page.get_by_role("button", name=WAVE, exact=True).click()
    wait_for_text(page, "#legend", "4 elements at ")
    wait_for_text(page, "#plot", "Arrays are drawn below")
    page.get_by_role("button", name=TEMPERATURE, exact=True).click()
    plotted(page)
    box = page.locator("#plot .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    wait_for_text(page, "#legend", "3 elements at ")
    below = page.locator("#traces .u-over").bounding_box()
    page.mouse.move(below["x"] + below["width"] / 2, below["y"] + below["height"] / 2)
    wait_for_text(page, "#legend", "[1] 5 MW at ")
    page.reload()
    wait_for_text(page, "#legend", "4 elements at ")
    page.get_by_label(f"Take {WAVE} out of the plot").click()
    page.locator("#traces").wait_for(state="hidden")


def test_new_samples_are_followed_live(opened: Any) -> None:
    page, archiver = opened()
    page.get_by_role("button", name=TEMPERATURE, exact=True).click()
    plotted(page)
    page.get_by_role("button", name="Live").click()
    until(page, lambda: bool(archiver.control.followers))
    page.mouse.move(5, 5)

    def shown() -> bool:
        fresh = pv_of(Kind.FLOAT64, [77.5], end_ns=time.time_ns() + S)
        archiver.control.followers[-1].put(TEMPERATURE, table_of(fresh, slice(0, 1)))
        page.wait_for_timeout(300)
        return "77.5 degC" in page.locator("#legend").inner_text()

    until(page, shown)


def test_pvs_are_added_paused_resumed_and_removed(opened: Any) -> None:
    page, archiver = opened()
    page.get_by_role("button", name="Add PVs…").click()
    page.locator("#names").fill("NEW:*")
    page.locator("#adding .main").click()
    wait_for_text(page, "#adding .problem", "NEW:* is a pattern")
    page.locator("#names").fill("NEW:A, NEW:B\nNEW:C")
    page.locator("#adding .main").click()
    page.get_by_role("button", name="NEW:C", exact=True).wait_for()
    wait_for_text(page, "#states", "searching 3")
    page.get_by_label("Tick NEW:A").check()
    page.get_by_label(f"Tick {STATE}").check()
    page.get_by_role("button", name="Pause").click()
    row(page, STATE).filter(has_text="paused").wait_for()
    page.get_by_label(f"Tick {STATE}").check()
    page.get_by_role("button", name="Resume").click()
    row(page, STATE).filter(has_text="connected").wait_for()
    page.get_by_label("Tick NEW:A").check()
    page.get_by_role("button", name="Remove…").click()
    wait_for_text(page, "#lost-told", "What is stored stays")
    page.locator("#removing .main").click()
    page.get_by_role("button", name="NEW:A", exact=True).wait_for(state="detached")
    assert archiver.control.deleted == []
    page.get_by_label("Tick NEW:B").check()
    page.get_by_role("button", name="Remove…").click()
    page.locator("#delete-data").check()
    wait_for_text(page, "#lost-told", "They cannot be brought back")
    page.locator("#removing .main").click()
    page.get_by_role("button", name="NEW:B", exact=True).wait_for(state="detached")
    assert archiver.control.deleted == ["NEW:B"]


def test_pvs_are_filtered_by_name_and_state(opened: Any) -> None:
    page, archiver = opened()
    archiver.control.pause([STATE])
    page.locator("#filter").fill("cla")
    wait_for_text(page, "#rows", "No PVs here")
    page.locator("#filter").fill("CLA:")
    wait_for_text(page, "#shown", "1 to 3 of 3")
    page.locator("#states button", has_text="paused").click()
    wait_for_text(page, "#shown", "1 to 1 of 1")
    assert page.locator("#rows tr").count() == 1


def test_pvs_are_sorted_by_a_press_on_a_heading(opened: Any) -> None:
    page, archiver = opened()
    names = sorted(archiver.control.channels)
    for pv, rate in zip(names, (2.0, 30.0, 0.5, 4.0), strict=True):
        archiver.control.channels[pv] = replace(archiver.control.channels[pv], rate_hz=rate)

    def shown() -> list[str]:
        return [name for name in page.locator("#rows .pv").all_inner_texts() if name]

    heading = page.get_by_role("columnheader").filter(has_text="Rate")
    assert heading.get_attribute("aria-sort") == "none"
    heading.get_by_role("button").click()
    until(page, lambda: shown() == [names[1], names[3], names[0], names[2]])
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    until(page, lambda: shown() == [names[2], names[0], names[3], names[1]])
    assert heading.get_attribute("aria-sort") == "ascending"
    page.get_by_role("columnheader").get_by_role("button", name="PV", exact=True).click()
    until(page, lambda: shown() == names)
    assert heading.get_attribute("aria-sort") == "none"


def test_a_token_is_asked_for_when_a_change_is_refused(opened: Any) -> None:
    page, archiver = opened(tokens=frozenset({hash_token(TOKEN)}))
    page.get_by_label(f"Tick {STATE}").check()
    page.get_by_role("button", name="Pause").click()
    wait_for_text(page, "#token-told", "needs a token")
    page.locator("#token-input").fill("wrong")
    page.keyboard.press("Enter")
    wait_for_text(page, "#token-told", "does not know this token")
    page.locator("#token-input").fill(TOKEN)
    page.keyboard.press("Enter")
    row(page, STATE).filter(has_text="paused").wait_for()
    assert archiver.control.channels[STATE].state is ChannelState.PAUSED


def test_times_are_in_utc_or_local_and_it_is_said(opened: Any) -> None:
    page, _ = opened()
    until(page, lambda: page.locator("#from").input_value() != "")
    hours = page.locator("#from").input_value()[11:13]
    page.get_by_role("button", name="Times in UTC").click()
    wait_for_text(page, "#zone", "Times are local")
    local = page.locator("#from").input_value()[11:13]
    assert (int(hours) + 9) % 24 == int(local)


def test_an_ended_archiver_says_so_and_takes_no_changes(opened: Any) -> None:
    page, archiver = opened()
    archiver.control.whole = replace(archiver.control.whole, read_only=True)
    wait_for_text(page, "#mode", "ended: only serves its data")
    assert page.get_by_role("button", name="Add PVs…").is_disabled()
