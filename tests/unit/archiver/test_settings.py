"""What the command line and the file of settings say, and how a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from linacre.archiver import main as command
from linacre.archiver.model import ChannelSpec, Method, Provider
from linacre.archiver.settings import (
    Settings,
    parse_duration,
    parse_pv,
    parse_size,
    parse_time,
    read_settings,
)
from linacre.base.errors import UserError


def settings_of(*words: str) -> Settings:
    return command._settings(command._parser().parse_args(["run", *words]))


def test_options(tmp_path: Path) -> None:
    names = tmp_path / "pvs"
    names.write_text("# ours\nA:B\n\npva://C scan 2  # slow\n")
    found = settings_of(
        *("--data", "/d/study", "--pv", "X", "--pvs-file", str(names), "--for", "7d"),
        *("--max-age", "90d", "--max-bytes", "20GiB", "--memory", "256MiB", "--port", "0"),
    )
    assert found == Settings(
        data=Path("/d/study"),
        pvs=(
            ChannelSpec(pv="X"),
            ChannelSpec(pv="A:B"),
            ChannelSpec(pv="C", provider=Provider.PVA, method=Method.SCAN, period_s=2),
        ),
        lasting="7d",
        max_age_s=90 * 86400,
        max_bytes=20 * 2**30,
        memory=256 * 2**20,
        port=0,
    )
    assert found.shown_name == "study"


def test_a_file_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "archiver.toml"
    file.write_text(
        'data = "data"\nname = "magnets"\nuntil = 2026-12-24T12:00:00Z\nmax-age = "1.5h"\n'
        'pvs = ["A", "pva://B"]\nport = 17000\nprotect_reading = true\n'
    )
    found = settings_of("--settings", str(file), "--port", "17001", "--pv", "C")
    assert found.data == tmp_path / "data"
    assert (found.name, found.port, found.max_age_s) == ("magnets", 17001, 5400)
    assert parse_time(found.until) == 1_798_113_600 * 10**9
    assert [spec.pv for spec in found.pvs] == ["A", "B", "C"]
    assert found.protect_reading


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("pv = 1", "pv: there is no such setting; there are address, data"),
        ('max_age = "soon"', "max_age: 'soon' is not a length of time: write 20s"),
        ('memory = "lots"', "'lots' is not a size: write 512MiB"),
        ("port = true", "port: must be of type int"),
        ("pvs = 5", "pvs: must be a list of names"),
        ('pvs = ["A B"]', "after the name may come"),
        ("name", "archiver.toml: "),
    ],
)
def test_a_wrong_file_is_told_in_a_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "archiver.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=why) as told:
        read_settings(file)
    assert "\n" not in str(told.value)


def test_a_wrong_name_has_its_line(tmp_path: Path) -> None:
    names = tmp_path / "pvs"
    names.write_text("A\nB*\n")
    with pytest.raises(UserError, match=r"pvs:2: 'B\*' is not the name of a PV"):
        settings_of("--data", "d", "--pvs-file", str(names))
    with pytest.raises(UserError, match="give --data"):
        settings_of()


def test_units() -> None:
    assert [parse_duration(t) for t in ("20s", "30min", "2h", "1d")] == [20, 1800, 7200, 86400]
    assert [parse_size(t) for t in ("7", "1kB", "2KiB", "1.5GiB")] == [7, 1000, 2048, 1610612736]
    assert parse_time("1970-01-01T01:00:00.000001+01:00") == 1000
    assert parse_duration("1h30m") == 5400
    for wrong in ("", "5", "5 q", "-1s", "9" * 400 + "y"):
        with pytest.raises(UserError):
            parse_duration(wrong)


def test_parse_pv() -> None:
    assert parse_pv("pva://A scan 0.5") == ChannelSpec(
        pv="A", provider=Provider.PVA, method=Method.SCAN, period_s=0.5
    )
    for text in ("", "A b", "A scan x", "A*", "A scan 0.01", "x" * 300):
        with pytest.raises(UserError):
            parse_pv(text)


def test_no_archive_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["pvs", "--data", str(tmp_path)])
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"linacre-archiver: there is no archive in {tmp_path}\n"


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ({"until": "yesterday"}, "'yesterday' is not a time"),
        ({"lasting": "3"}, "'3' is not a length of time"),
        ({"until": "2027-01-01T00:00:00Z", "lasting": "3d"}, "a time or a length, not both"),
    ],
)
def test_an_end_that_is_none_is_refused_before_anything_is_made(
    tmp_path: Path, end: dict[str, str], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        Settings(data=tmp_path / "study", **end)
    assert not (tmp_path / "study").exists()
