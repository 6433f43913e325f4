"""What a host remembers of sandboxes: none is taken for a facility that a command means."""

from __future__ import annotations

from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.base.paths import StatePaths
from linacre.session.sandboxes import (
    expired,
    expired_line,
    find_sandbox,
    folders_of,
    sandbox_name,
)
from linacre.session.state import (
    FacilityNote,
    SandboxNote,
    Standing,
    known_facilities,
    known_sandboxes,
    write_note,
)


def note(state: StatePaths, facility: str, name: str | None = None, **more: float) -> None:
    about = None
    if name is not None:
        about = SandboxNote(facility=facility, name=name, owner="me", made_at=0.0, **more)
    whole = sandbox_name(facility, name) if name else facility
    found = FacilityNote(
        facility=whole,
        file=state.root / "facility.yaml",
        engine="incus",
        standing=Standing.UP,
        sandbox=about,
    )
    write_note(state.facility(whole), found)


@pytest.fixture
def state(tmp_path: Path) -> StatePaths:
    state = StatePaths(tmp_path)
    note(state, "lab")
    note(state, "lab", "one", expires_at=10.0)
    note(state, "lab", "two")
    note(state, "lab2", "one", expires_at=5.0)
    return state


def test_sandboxes_are_no_facilities(state: StatePaths) -> None:
    assert [each.facility for each in known_facilities(state)] == ["lab"]
    assert [each.facility for each in known_sandboxes(state, "lab")] == ["lab.one", "lab.two"]
    refused = state.facility(sandbox_name("lab", "refused"))
    refused.root.mkdir()
    refused.lock.touch()
    assert folders_of(state, "lab") == ["one", "two"]


def test_one_that_is_not_there_is_told_with_those_that_are(state: StatePaths) -> None:
    assert find_sandbox(state, "lab", "one")[1].owner == "me"
    with pytest.raises(UserError, match="lab has no sandbox x; it has: one, two"):
        find_sandbox(state, "lab", "x")


def test_those_whose_time_is_over_are_told(state: StatePaths) -> None:
    assert expired(state, 9.0, facility="lab") == []
    over = expired(state, 10.0)
    assert [(each.facility, each.name) for each in over] == [("lab", "one"), ("lab2", "one")]
    assert expired_line(over[0]) == (
        "the time of lab's sandbox one (of me) is over: linacre sandbox delete --expired"
    )
