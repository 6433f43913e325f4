"""What a search finds, in both databases; every way of searching finds the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product

import pytest

from linacre.base.errors import UserError
from linacre.catalogue import Catalogue, Inventory, search
from linacre.catalogue.model import IocEntry, RecordEntry, ToldErrors

EMPTY = IocEntry(**dict.fromkeys(IocEntry.__dataclass_fields__, ""))
IOCS = [
    replace(EMPTY, name="S02-MAG", owner="A. Brown", area="S02", device_type="magnet"),
    replace(EMPTY, name="S02-BPM", owner="b.green", area="S02", device_type="bpm"),
    replace(EMPTY, name="L01-RF", owner="RF group", area="L01", description="Linac 1"),
]
NAMES = {
    "S02-MAG": [
        *(f"CLA-S02-MAG-QUAD-{n:02d}:{end}" for n, end in product(range(1, 21), ("SETI", "GETI"))),
        "cla-s02-mag:seti",
    ],
    "S02-BPM": [f"CLA-S02-DIA-BPM-{n:02d}:{axis}" for n in range(1, 11) for axis in "XY"],
    "L01-RF": [
        "A", "AB", "A%B", "A_B", "A\\B", "A*B", "A[B", "A]B", "A^B", "A-B", "A.B", "A(B)", "Aé",
        "Z~",
    ],
}  # fmt: skip
ALL = sorted(name for names in NAMES.values() for name in names)


@pytest.fixture
async def inventory(catalogue: Catalogue) -> AsyncIterator[Inventory]:
    filled = catalogue.inventory("clara")
    await filled.set_iocs(IOCS)
    for ioc, names in NAMES.items():
        records = [RecordEntry(name, "ao", f"what {name} is") for name in names]
        await filled.set_records(ioc, records)
    yield filled


async def pvs(inventory: Inventory, pattern: str, *, limit: int = 1000) -> list[str]:
    found = await inventory.find(pattern, limit=limit)
    return [match.pv for match in found.matches if match.pv]


async def iocs(inventory: Inventory, pattern: str) -> list[str]:
    return [match.ioc for match in (await inventory.find(pattern)).matches if not match.pv]


PATTERNS = [
    "*", "*SETI", "CLA-S02*SETI", "CLA-S02-MAG-QUAD-0?:SETI", "*QUAD*1:*I", "*[13]:SETI", "A*", "?",
    "A?B", "A[!%]B", "A[^%]B", "A[%_]B", "A[]]B", "A[!]]B", "A[-^]B", "A[^^]B", "A[[]B", "A[\\]B",
    "A[A-z]B", "A[+-]B", "A[]-a]B", "A[$-.]B", "A(?)", "A?", "*é", "*:[A-FX]", "cla*", "A[B*",
    "A[]*", "A[!]*", "*nosuch*", "Z?", "[!A-Z]*", "*-0[1-3]:[XY]", "*A-S02-D*", "CLA*-BPM-1?:*",
    "A\\?",
]  # fmt: skip


@pytest.mark.parametrize("way", ["index", "texts"])
async def test_every_way_finds_what_a_shell_would(
    inventory: Inventory, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_FEW", 10_000 if way == "index" else 0)
    for pattern in PATTERNS:
        # Python writes only ! where we take ^ as well.
        expected = [name for name in ALL if fnmatchcase(name, pattern.replace("[^", "[!"))]
        assert await pvs(inventory, pattern) == expected, pattern
        named = len(await iocs(inventory, pattern))
        assert await pvs(inventory, pattern, limit=named + 3) == expected[:3], pattern


async def test_a_name_without_a_wildcard_is_whole(inventory: Inventory) -> None:
    assert await pvs(inventory, "A") == ["A"]
    assert await pvs(inventory, "A_B") == ["A_B"]
    assert await pvs(inventory, "CLA-S02-MAG-QUAD-01:SETI") == ["CLA-S02-MAG-QUAD-01:SETI"]
    assert await pvs(inventory, "CLA-S02") == [] and await pvs(inventory, "") == []
    assert await pvs(inventory, "A[*]B") == ["A*B"]


async def test_pvs_are_told_with_their_ioc_and_its_owner(inventory: Inventory) -> None:
    (match,) = (await inventory.find("*BPM-07:X")).matches
    assert (match.facility, match.ioc, match.owner) == ("clara", "S02-BPM", "b.green")
    assert (match.area, match.device_type, match.record_type) == ("S02", "bpm", "ao")
    assert (match.pv, match.description) == (
        "CLA-S02-DIA-BPM-07:X",
        "what CLA-S02-DIA-BPM-07:X is",
    )


async def test_upper_and_lower_case_are_apart_in_pvs_only(inventory: Inventory) -> None:
    assert await pvs(inventory, "*mag:seti") == ["cla-s02-mag:seti"]
    assert await iocs(inventory, "s02-mag") == ["S02-MAG"]


async def test_an_ioc_is_found_by_owner_area_and_device_type(inventory: Inventory) -> None:
    assert await iocs(inventory, "*brown") == ["S02-MAG"]
    assert await iocs(inventory, "s02") == ["S02-BPM", "S02-MAG"]
    assert await iocs(inventory, "Magnet") == ["S02-MAG"]
    (match,) = (await inventory.find("rf group")).matches
    assert (match.ioc, match.pv, match.description) == ("L01-RF", "", "Linac 1")


async def test_iocs_come_first_and_what_is_left_out_is_told(inventory: Inventory) -> None:
    found = await inventory.find("*", limit=5)
    assert [m.pv or m.ioc for m in found.matches] == ["L01-RF", "S02-BPM", "S02-MAG", *ALL[:2]]
    assert found.more
    whole = await inventory.find("*", limit=3 + len(ALL))
    assert len(whole.matches) == 3 + len(ALL) and not whole.more
    few = await inventory.find("*", limit=2)
    assert [m.ioc for m in few.matches] == ["L01-RF", "S02-BPM"] and few.more


async def test_a_range_that_ends_before_it_begins(inventory: Inventory) -> None:
    with pytest.raises(UserError) as caught:
        await inventory.find("A[0-9z-a]*")
    assert str(caught.value) == (
        "the pattern's [0-9z-a] has a range that ends before it begins: write a-z"
    )


async def test_iocs_are_found_by_the_errors_of_their_start_scripts(inventory: Inventory) -> None:
    first = "st.cmd line 2: Command 'noSuch' not registered."
    errors = {"S02-MAG": ToldErrors(3, (first, "and 2 more")), "S02-BPM": ToldErrors(0)}
    await inventory.set_start_errors(errors)
    (found,) = (await inventory.find("*not REGISTERED*")).matches
    assert (found.ioc, found.pv, found.start_errors) == ("S02-MAG", "", 3)
    assert found.start_messages == (first, "and 2 more")
    told = {one.ioc: one.start_errors for one in (await inventory.find("*")).matches if not one.pv}
    assert told == {"S02-MAG": 3, "S02-BPM": 0, "L01-RF": None}
    # The next start had none.
    await inventory.set_start_errors({"S02-MAG": ToldErrors(0), "no such IOC": ToldErrors(1)})
    assert await iocs(inventory, "*not registered*") == []
