"""The archiver's page in a real browser, against an archive in memory with a year of data."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linacre.archiver.http.app import make_app
from linacre.archiver.http.serve import listen, serve
from linacre.archiver.http.settings import HttpSettings
from linacre.archiver.model import ChannelSpec, Kind, Metadata, NoticeKind
from linacre.archiver.service import ChannelState, ChannelStatus, Event

sys.path.append(str(Path(__file__).parents[2] / "unit/archiver/http"))

from fakes import FakeControl, FakePv, FakeReader, pv_of, table_of

__all__ = ["pv_of", "table_of"]

CHROMIUM = Path("/usr/bin/chromium")
TEMPERATURE, STATE, WAVE = "CLA:TEMP", "CLA:STATE", "CLA:WAVE"
EVIL = "<img src=x onerror=\"document.title='owned'\">"
S = 10**9
YEAR_MINUTES = 365 * 24 * 60
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def why_no_browser() -> str | None:
    if not CHROMIUM.exists():
        return f"there is no {CHROMIUM}: apt-get install chromium"
    try:
        import playwright.sync_api  # noqa: F401  # pyright: ignore
    except ImportError:
        return "there is no playwright: pip install playwright"
    return None


needs_browser = pytest.mark.skipif(why_no_browser() is not None, reason=str(why_no_browser()))


def an_archive() -> tuple[FakeReader, FakeControl]:
    now = time.time_ns() // S * S
    minutes = np.arange(YEAR_MINUTES)
    temperature = pv_of(Kind.FLOAT64, 20 + np.sin(minutes / 1440), end_ns=now, step_s=60)
    away = (temperature.time > now - 60 * 86400 * S) & (temperature.time < now - 30 * 86400 * S)
    held: dict[str, FakePv] = {
        TEMPERATURE: FakePv(
            Kind.FLOAT64,
            temperature.time[~away],
            temperature.value.filter(~away),
            temperature.severity[~away],
            Metadata(units="degC"),
        ),
        STATE: pv_of(Kind.ENUM, [0, 1, 2, 1], end_ns=now, step_s=600),
        WAVE: pv_of(Kind.FLOAT64_ARRAY, [[1.0, 2.0]], end_ns=now),
        EVIL: pv_of(Kind.INT32, [7], end_ns=now),
    }
    held[STATE].metadata = Metadata(labels=("Off", "Standby", "On"))
    events = [
        Event(TEMPERATURE, now - 60 * 86400 * S, NoticeKind.LOST, {}),
        Event(TEMPERATURE, now - 30 * 86400 * S, NoticeKind.CONNECTED, {"host": "10.0.0.1:5064"}),
    ]
    reader = FakeReader(held, events)
    channels = [
        ChannelStatus(
            spec=ChannelSpec(pv=pv),
            state=ChannelState.CONNECTED,
            since_ns=now - 60 * S,
            added_ns=now - 3600 * S,
            kind=one.kind,
            rate_hz=1.0,
            last_ns=int(one.time[-1]),
        )
        for pv, one in held.items()
    ]
    control = FakeControl(reader, channels)
    control.whole = replace(control.whole, started_ns=now - 3600 * S, ends_ns=now + 86400 * S)
    return reader, control


class Archiver:
    """An archive in memory that is served by a thread of its own."""

    def __init__(self, settings: HttpSettings) -> None:
        self.reader, self.control = an_archive()
        made = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{made.getsockname()[1]}/"
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        app = make_app(self.reader, self.control, settings)
        serving = serve(app, [made], stop=self._stop)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serving,))
        self._thread.start()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright  # pyright: ignore

    with sync_playwright() as started:
        made = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., tuple[Any, Archiver]]]:
    """Opens the page of an archiver; fails where the page has an error of its own."""
    archivers: list[Archiver] = []
    wrong: list[str] = []
    context = browser.new_context(
        viewport={"width": 1600, "height": 1000}, timezone_id="Asia/Tokyo"
    )
    # A browser on a host that runs other tests beside.
    context.set_default_timeout(90_000)

    def open_it(
        prepare: Callable[[Any], None] = lambda page: None, **settings: Any
    ) -> tuple[Any, Archiver]:
        archivers.append(Archiver(HttpSettings(live_period_s=0.02, **settings)))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        prepare(page)
        go_to(page, archivers[-1].url)
        page.get_by_role("button", name=TEMPERATURE, exact=True).wait_for()
        return page, archivers[-1]

    yield open_it
    context.close()
    for one in archivers:
        one.close()
    assert wrong == []


def go_to(page: Any, url: str) -> None:
    """Open an address as a browser does: again where a network of this host came or went.

    Machines of other tests come and go; Chromium ends what it is just connecting then, and loads
    its own page of that error anew by itself, which Playwright does not wait for.
    """
    while True:
        try:
            page.goto(url)
        except Exception as error:
            if "ERR_NETWORK_CHANGED" not in str(error):
                raise
        else:
            return


def row(page: Any, pv: str) -> Any:
    return page.locator("#rows tr").filter(has=page.get_by_role("button", name=pv, exact=True))


def wait_for_text(page: Any, where: str, text: str) -> None:
    page.locator(where).filter(has_text=text).first.wait_for()


def until(page: Any, true: Callable[[], bool], limit_s: float = 90.0) -> None:
    deadline = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        # The page's policy lets no script in, not that of wait_for_function either.
        page.wait_for_timeout(20)


def plotted(page: Any) -> str:
    wait_for_text(page, "#told", "Shown in")
    return page.locator("#told").inner_text()


def start_of(page: Any) -> str:
    return page.locator("#from").input_value()
