"""What is told of IOCs that were taken over, and of what they serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from doctor_support import FILE, GOOD, FakeEngine, facts_of, machine, session_of

from linacre.engines.labels import PROGRAM_DIGEST, UNSERVED
from linacre.epics.start_errors import StartErrors
from linacre.kinds.checking.model import Verdict
from linacre.kinds.ioc.import_checks import imports_settled
from linacre.kinds.ioc.start_checks import start_scripts_right


@pytest.mark.parametrize("accepted", [False, True])
async def test_records_that_are_declared_and_not_served(tmp_path: Path, accepted: bool) -> None:
    text = FILE
    if accepted:
        text = FILE.replace("module: some.mag,", "module: some.mag, start_errors: accepted,")
    labels = {PROGRAM_DIGEST: "d1", UNSERVED: "d1 3 3 M:A M:B M:C"}
    mag = replace(machine("mag", ioc="mag"), labels={"ioc": "mag"} | labels)
    facts = facts_of(
        session_of(tmp_path, FakeEngine(), text),
        mag,
        reports={"mag": replace(GOOD, start_errors=StartErrors(), pv_count=0)},
    )
    (finding,) = (await start_scripts_right(facts)).findings
    assert finding.text == (
        "3 of 3 records that its databases declare are not served: M:A, M:B, M:C"
    )
    assert finding.verdict is (Verdict.WARNING if accepted else Verdict.PROBLEM)


async def test_what_an_import_left_open_is_told_until_it_is_settled(tmp_path: Path) -> None:
    head, entry = FILE.split("  mag: {")
    commented = (
        f"{head}  mag:\n    # Taken over from /home/epics/mag.\n"
        "    # Not understood: st.cmd:2: noSuch 1\n    # Not defined: P, Q\n    {" + entry
    )
    session = session_of(tmp_path, FakeEngine(), commented)
    (finding,) = (await imports_settled(facts_of(session, machine("mag", ioc="mag")))).findings
    assert (finding.what, finding.verdict) == ("mag", Verdict.WARNING)
    assert finding.text == (
        "its import left open: st.cmd:2: noSuch 1, macros that nothing defines: P, Q"
    )
    assert finding.remedy.endswith("facility.yaml:5")
    settled = facts_of(session_of(tmp_path, FakeEngine()), machine("mag", ioc="mag"))
    assert (await imports_settled(settled)).verdict is Verdict.NOT_APPLICABLE
