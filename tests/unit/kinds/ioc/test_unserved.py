"""What an IOC serves short of what its databases declare, kept in a label of its machine."""

from __future__ import annotations

from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import PROGRAM_DIGEST, UNSERVED
from linacre.kinds.ioc.unserved import Unserved, as_label, labelled_unserved, unserved_of


def machine(label: str, *, digest: str = "d1") -> Machine:
    labels = {PROGRAM_DIGEST: digest, UNSERVED: label}
    return Machine("mag", "ioc", MachineState.RUNNING, "srv1", labels)


def test_all_that_is_declared_is_served() -> None:
    assert unserved_of(["A", "B"], {"A", "B", "MORE"}) is None
    assert as_label(None, digest="d1") == ""


def test_it_is_told_in_words() -> None:
    declared = [f"M:{n}" for n in range(8)]
    assert str(unserved_of(declared, {"M:0"})) == (
        "7 of 8 records that its databases declare are not served: M:1, M:2, M:3, M:4, M:5 and "
        "2 more"
    )
    assert str(unserved_of(["A"], ())) == (
        "1 of 1 record that its databases declare is not served: A"
    )


def test_a_label_tells_it_of_the_files_that_are_there_alone() -> None:
    unserved = Unserved(7, 8, ("M:1", "M:2"))
    label = as_label(unserved, digest="d1")
    assert labelled_unserved(machine(label)) == unserved
    assert labelled_unserved(machine(label, digest="d2")) is None
    assert labelled_unserved(machine("")) is None
    assert labelled_unserved(machine("d1 what")) is None
    assert labelled_unserved(Machine("mag", "ioc", MachineState.RUNNING, "srv1", {})) is None
    assert labelled_unserved(None) is None
