"""The archiver's page where the network or the archiver fails, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from page_support import STATE, TEMPERATURE, needs_browser, plotted, row, wait_for_text

from linacre.archiver.service import ChannelState

pytestmark = needs_browser


class Refusing:
    """Has a browser fail some requests, the first so many of those that match."""

    def __init__(self, pattern: str, times: int) -> None:
        self.pattern, self.times = re.compile(pattern), times
        self.failed: list[str] = []

    def __call__(self, page: Any) -> None:
        page.route(self.pattern, self._answer)

    def _answer(self, route: Any) -> None:
        if len(self.failed) >= self.times:
            route.fallback()
        else:
            self.failed.append(route.request.url)
            route.abort("connectionaborted")


@pytest.mark.parametrize("name", ["page.js", "text.js", "page.css", "uPlot.iife.min.js"])
def test_a_file_of_the_page_that_did_not_come_is_loaded_again(opened: Any, name: str) -> None:
    refusing = Refusing(re.escape(name) + "$", times=2)
    page, _ = opened(refusing)
    assert len(refusing.failed) == 2
    # Nothing is shown before all is there: what was pressed meanwhile would be lost.
    assert page.evaluate("loadingAgain") is None
    page.get_by_role("button", name=TEMPERATURE, exact=True).click()
    plotted(page)
    assert page.locator("#facts").evaluate("it => getComputedStyle(it).display") == "flex"


def test_reading_goes_on_where_the_network_failed_for_a_moment(opened: Any) -> None:
    page, _ = opened()
    refusing = Refusing("/(bins|metadata|last|events|samples)", times=5)
    refusing(page)
    page.get_by_role("button", name=TEMPERATURE, exact=True).click()
    plotted(page)
    wait_for_text(page, "#legend", "degC")
    assert len(refusing.failed) == 5
    assert page.locator("#error").is_hidden()


def test_a_change_is_not_made_twice_where_the_network_failed(opened: Any) -> None:
    page, archiver = opened()
    refusing = Refusing("/pvs/pause", times=1)
    refusing(page)
    page.get_by_label(f"Tick {STATE}").check()
    page.get_by_role("button", name="Pause").click()
    wait_for_text(page, "#error", "The archiver does not answer")
    page.get_by_role("button", name="Pause").click()
    row(page, STATE).filter(has_text="paused").wait_for()
    assert len(refusing.failed) == 1
    assert archiver.control.channels[STATE].state is ChannelState.PAUSED


def test_a_slow_archiver_is_shown(opened: Any) -> None:
    page, archiver = opened()
    # Longer than the page waits between two looks.
    archiver.control.delay_s = 3.0
    archiver.control.pause([STATE])
    row(page, STATE).filter(has_text="paused").wait_for()


def test_an_archiver_that_is_gone_is_told_in_one_line(opened: Any) -> None:
    page, archiver = opened()
    archiver.close()
    wait_for_text(page, "#error", "The archiver does not answer")
