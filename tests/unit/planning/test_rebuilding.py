"""Which machines are made anew, and which stay as they were found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_twin_overrides import DECLARED, DESK, TWIN, A, B, found, machine

from linacre.base.errors import UserError
from linacre.engines.base import Machine
from linacre.engines.labels import IMAGE, NETWORK
from linacre.planning.rebuilding import machines_to_rebuild
from linacre.planning.twin_overrides import override_twins


def rebuilt(*asked: str, there: tuple[Machine, ...], **record: str) -> frozenset[str]:
    have = found(*there, **record)
    return machines_to_rebuild(have, override_twins(DECLARED, have.machines, have.record), asked)


def test_machines_and_all_that_are_outdated() -> None:
    old = machine(B, **{IMAGE: "older"})
    there = (machine(A), old, machine(DESK, **{IMAGE: "older"}))
    assert rebuilt("a", there=there) == {"a"}
    assert rebuilt("a", "all", there=(machine(A, **{IMAGE: "older"}), old)) >= {"a", "b"}
    with pytest.raises(UserError, match="there is no machine x to rebuild; there are: a, b, desk"):
        rebuilt("x", there=there)


@pytest.mark.parametrize("name", ["a", "a-twin"])
@pytest.mark.parametrize("live", ["a", "a-twin"])
def test_none_that_has_a_twin(name: str, live: str) -> None:
    """What was put into them is not what is declared: they would come up empty."""
    with pytest.raises(UserError, match=r"a has a twin.*: linacre ioc promote a first"):
        rebuilt(name, there=(machine(A), TWIN, machine(B)), **{"live.a": live})


def test_none_that_keeps_the_files_of_a_twin() -> None:
    promoted = replace(TWIN, labels={**TWIN.labels, NETWORK: "controls"})
    with pytest.raises(UserError, match="keeps the files of its promoted twin"):
        rebuilt("a", there=(promoted, machine(B)), **{"live.a": "a-twin"})


def test_an_ioc_means_its_live_machine() -> None:
    there = (machine(A, "a-twin"), machine(B))
    assert rebuilt("a", there=there, **{"live.a": "a-twin"}) == {"a-twin"}
