"""What an archiver is to archive, where PVs have odd names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.archiver.model import ChannelSpec
from linacre.archiver.settings import check_spec
from linacre.base.errors import UserError
from linacre.declaration.models import Archiver
from linacre.declaration.models.archiver_values import can_be_archived
from linacre.kinds.archiver.kind import ArchiverKind
from linacre.kinds.archiver.patterns import archived_pvs, left_out

NAMES = {"H2D:*": ("H2D:GOOD", "H2D:OK?", "H2D:[1]", "H2D:A*", "H2D:OK?")}


def test_one_odd_name_leaves_the_others() -> None:
    assert archived_pvs(["H2D:* scan 10"], NAMES, protocol="pva") == (
        "pva://H2D:GOOD scan 10",
        "pva://H2D:[1] scan 10",
    )
    assert left_out(["H2D:*", "H2D:GOOD"], NAMES) == ["H2D:A*", "H2D:OK?"]
    assert left_out(["H2D:GOOD"], NAMES) == []


def test_it_is_told_by_up() -> None:
    item = Archiver.model_validate({"pvs": ["H2D:*"], "owner": "us", "address": "10.1.1.9"})
    (line,) = ArchiverKind().notes("arch", item, Path(), NAMES)
    assert line == (
        "arch does not archive H2D:A*, H2D:OK?: a name with * or ? in it, white space, or more "
        "than 256 bytes"
    )


@given(st.one_of(st.text(max_size=300), st.text("aé *?[]:\t\x7f", max_size=9)))
@pytest.mark.filterwarnings("ignore")
def test_it_is_what_archivers_take(name: str) -> None:
    try:
        check_spec(ChannelSpec(pv=name))
    except UserError:
        assert not can_be_archived(name)
    else:
        assert can_be_archived(name)
