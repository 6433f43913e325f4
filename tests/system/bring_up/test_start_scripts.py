"""What start scripts print, and procServs that hang, in machines: told from inside them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from harness import Site, until

pytestmark = pytest.mark.timeout(300)

ERROR = "st.cmd line 3: Command 'noSuchCommand' not registered."


@pytest.fixture(scope="module")
def site(make_site: Callable[[str], Site]) -> Site:
    """A facility of two IOCs that is up, one of them with an error in its start script."""
    site = make_site("impscr")
    site.ioc("good", 11)
    site.ioc("bad", 12)
    start = site.folder / "iocs/bad/st.cmd"
    start.write_text(f"{start.read_text()}noSuchCommand 1\n")
    site.write()
    return site


def test_up_and_status_tell_the_errors_of_a_start_script(site: Site) -> None:
    done = site.ok("up", "--yes")
    line = f"bad: 1 error in its start script, the first: {ERROR}; see linacre ioc show bad"
    assert line in done.err.splitlines()
    rows = site.status()
    assert (rows["good"]["green"], rows["good"]["start_errors"]) == (True, 0)
    assert (rows["bad"]["green"], rows["bad"]["start_messages"]) == (False, [ERROR])
    assert rows["bad"]["ioc"] == "up"


def test_a_start_by_procserv_alone_is_told_too(site: Site) -> None:
    program = site.identity("bad", "softIoc")
    site.kill(program.pid)
    until(lambda: not program.is_alive and site.status()["bad"]["start_errors"] is not None)
    assert site.status()["bad"]["start_messages"] == [ERROR]


def test_a_procserv_that_hangs_is_red_until_it_is_restarted(site: Site) -> None:
    os.kill(site.pid("good", "procServ"), signal.SIGSTOP)
    until(lambda: site.status()["good"]["procserv"] == "hangs", 40)
    assert not site.status()["good"]["green"]
    assert site.ok("ioc", "restart", "good").err.splitlines()[-1] == "good: restarted"
    assert site.status()["good"]["green"]


def test_accepted_errors_are_green(site: Site) -> None:
    site.iocs["bad"]["start_errors"] = "accepted"
    site.write()
    site.ok("up", "--yes")
    site.assert_green()
