"""What cannot come up is told in one line, and nothing is left of the attempt."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    """A facility of one IOC, declared and not up."""
    site = make_site("refused")
    site.ioc("a", 11)
    site.write()
    return site


def test_a_state_folder_that_only_root_may_enter(site: Site) -> None:
    site.state.root.chmod(0o700)
    try:
        done = site.run("up", "--yes")
    finally:
        site.state.root.chmod(0o755)
    assert done.status == 1
    assert done.problem == (
        f"linacre: containers cannot start below {site.state.root}, which only its owner may "
        f"enter: chmod o+x {site.state.root}, or set LINACRE_STATE to another folder"
    )
    assert site.leftovers() == []


def test_what_needs_a_facility_that_is_up(site: Site) -> None:
    for command in (["exec", "--", "true"], ["ioc", "stop", "a"], ["ioc", "log", "a"]):
        done = site.run(*command)
        assert done.status == 1, done
        assert "run linacre up" in done.problem


def test_plan_and_status_start_nothing(site: Site) -> None:
    plan = site.ok("plan").out
    assert f"make a ({site.address('a')})" in plan
    assert site.run("status").status == 1
    assert site.leftovers() == []
