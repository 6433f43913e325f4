"""A new kind of machine is one folder and one line: this file is the folder, `KINDS` the line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pydantic import Field
from typer.testing import CliRunner

from linacre.base.paths import StatePaths
from linacre.cli.main import app
from linacre.declaration.load import LoadError, load
from linacre.declaration.models import ProgramPart, Section
from linacre.declaration.schema import facility_schema
from linacre.documents.document import Problem
from linacre.engines.base import MachineSpec, PayloadFile
from linacre.engines.process.engine import ProcessEngine
from linacre.epics.service import ServiceProgram, make_service_scripts
from linacre.kinds import registry
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Check, Outcome, problem
from linacre.kinds.files import script_files
from linacre.kinds.kind import Kind
from linacre.kinds.labelling import settings_text
from linacre.kinds.maker import Maker
from linacre.kinds.registry import Kinds
from linacre.kinds.rows import Column, ProgramRow, Seen, columns, program_row
from linacre.observing.status import facility_status
from linacre.session.session import Session, open_session

pytestmark = pytest.mark.timeout(180)


class Gauge(ProgramPart):
    port: int = Field(default=8099, description="Where it serves its readings.", examples=[8099])
    reading: str = Field(description="The file with its reading.", examples=["gauge.txt"])


def check_gauge(name: str, gauge: Gauge, folder: Path) -> Iterator[Problem]:
    if not (folder / gauge.reading).is_file():
        yield Problem(("gauges", name, "reading"), f"{gauge.reading} is not there; make it")


@dataclass(frozen=True)
class GaugeStatus(ProgramRow):
    reading: str


async def read_gauges(facts: Facts) -> Outcome:
    gauges = [each for each in facts.program_machines if each.kind.name == "gauge"]
    empty = [each for each in gauges if await reading(facts, each.name, each.declared) == ""]
    findings = [problem(each.name, "reads nothing", each.command("restart")) for each in empty]
    return Outcome(f"{len(gauges) - len(empty)} of {len(gauges)} read", tuple(findings))


async def reading(facts: Facts, name: str, gauge: Any) -> str:
    path = facts.engine.layout(name, gauge.address).tree / "index.html"
    return ((await facts.engine.read(name, path, limit=100)) or b"").decode().strip()


class GaugeKind(Kind[Gauge, GaugeStatus]):
    name = "gauge"
    section = Section(
        key="gauges",
        noun="gauge",
        model=Gauge,
        description="Gauges, by name.",
        example={"girder": {"address": "10.61.2.81", "reading": "gauge.txt"}},
        check=check_gauge,
    )
    columns = columns("gauge", "program", Column("READING", "reading"))

    async def spec(self, maker: Maker, name: str, item: Gauge) -> MachineSpec:
        layout = maker.engine.layout(name, item.address)
        address = str(layout.bind or item.address)
        program = ServiceProgram(
            name=name,
            command=(layout.python, "-m", "http.server", "--bind", address, str(item.port)),
            hold_off_s=int(item.hold_off),
        )
        source = maker.declaration.folder / item.reading
        return maker.program(
            self,
            name,
            item,
            [
                PayloadFile(layout.tree, mode=0o755),
                PayloadFile(layout.tree / "index.html", source=source),
                *script_files(make_service_scripts(program, layout)),
            ],
            layout,
            origin="the facility file",
            settings=settings_text(item, "port", "hold_off", "log"),
        )

    def ports(self, item: Gauge) -> tuple[str, ...]:
        return (f"{item.port}/tcp",)

    async def row(self, session: Session, name: str, item: Gauge, seen: Seen) -> GaugeStatus:
        row = program_row(session, name, item, seen)
        return GaugeStatus(**asdict(row), reading=item.reading)

    def checks(self) -> tuple[Check, ...]:
        return (Check("gauge", "gauges read", read_gauges, "What each gauge reads."),)


GAUGE = GaugeKind()
KINDS = Kinds(*registry.KINDS, GAUGE)


@pytest.fixture
def site(tmp_path: Path, _subnet: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(registry, "KINDS", KINDS)
    monkeypatch.setenv("LINACRE_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gauge.txt").write_text("1013 mbar\n")
    (tmp_path / "facility.yaml").write_text(
        f"""\
facility: trial
engine: process
networks: {{controls: {{subnet: {_subnet}.0/24}}}}
gauges:
  girder: {{address: {_subnet}.81, reading: gauge.txt, hold_off: 1s}}
  spare: {{address: {_subnet}.82, reading: gauge.txt, hold_off: 1s, after: [girder]}}
"""
    )
    yield tmp_path
    linacre("down", "--purge", "--yes")


def linacre(*words: str) -> Result:
    return CliRunner().invoke(app, words, prog_name="linacre")


def test_a_kind_made_here_comes_up_shows_in_status_and_is_checked(site: Path) -> None:
    done = linacre("up", "--yes")
    assert done.exit_code == 0, done.output
    assert "trial: 0 IOCs, 2 gauges, up in" in done.output

    shown = linacre("status")
    assert shown.exit_code == 0, shown.output
    assert "0 of 0 IOCs and 2 of 2 gauges as they should be" in shown.output
    header, *rows = [line.split() for line in shown.output.splitlines()[1:]]
    assert header[0] == "GAUGE" and header[-2:] == ["READING", "FILES"]
    assert [(row[0], row[3], row[-2], row[-1]) for row in rows] == [
        (name, "running", "gauge.txt", "clean") for name in ("girder", "spare")
    ]
    told = json.loads(linacre("status", "--json").output)
    assert [(each["name"], each["program"], each["green"]) for each in told["gauges"]] == [
        ("girder", "up", True),
        ("spare", "up", True),
    ]
    assert [*told][:6] == ["facility", "engine", "standing", "iocs", "services", "archivers"]

    found = json.loads(linacre("doctor", "--json").output)
    said = {each["check"]: (each["verdict"], each["said"]) for each in found["checks"]}
    assert said["gauge"] == ("ok", "2 of 2 read")
    assert said["boot"] == ("ok", "2 of 2 gauges have booted")
    assert said["procserv"][0] == said["machine"][0] == "ok"


def test_a_changed_file_of_it_restarts_that_one_alone_and_the_doctor_sees_what_is_wrong(
    site: Path,
) -> None:
    assert linacre("up", "--yes").exit_code == 0
    (site / "gauge.txt").write_text("")
    assert "the gauge girder" in linacre("plan").output
    assert linacre("up", "--yes").exit_code == 0
    (gauge,) = (
        each
        for each in json.loads(linacre("doctor", "--json").output)["checks"]
        if each["check"] == "gauge"
    )
    assert (gauge["verdict"], gauge["findings"][0]["remedy"]) == (
        "problem",
        "linacre gauge restart girder",
    )


def test_it_has_the_commands_that_all_kinds_have(site: Path) -> None:
    assert linacre("up", "--yes").exit_code == 0
    assert "gauge.txt" in linacre("gauge", "show", "girder").output
    assert [each["name"] for each in json.loads(linacre("gauge", "list", "--json").output)] == [
        "girder",
        "spare",
    ]
    restarted = linacre("gauge", "restart", "girder")
    assert (restarted.exit_code, restarted.output.strip()) == (0, "girder: restarted")
    assert linacre("gauge", "stop", "spare").exit_code == 0
    assert linacre("status").exit_code == 1


def test_a_look_at_one_machine_is_a_look_at_that_one_alone(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert linacre("up", "--yes").exit_code == 0
    looked_at: set[str] = set()

    def watched(verb: str) -> None:
        done = getattr(ProcessEngine, verb)

        async def watch(engine: ProcessEngine, name: str, *given: Any, **more: Any) -> Any:
            looked_at.add(name)
            return await done(engine, name, *given, **more)

        monkeypatch.setattr(ProcessEngine, verb, watch)

    for verb in ("read", "read_all", "connect", "exec"):
        watched(verb)

    async def look() -> GaugeStatus:
        state = StatePaths.from_environment()
        session = await open_session(None, state=state, folder=site, kinds=KINDS)
        found = await facility_status(session, ("girder",))
        assert found.green and found.undeclared == ()
        return found.row(GAUGE, "girder")

    assert asyncio.run(look()).files == "clean"
    assert looked_at == {"girder"}


def test_its_section_is_checked_and_described_like_every_other(site: Path) -> None:
    file = site / "facility.yaml"
    text = file.read_text()
    for wrong, told in {
        "gauge.txt": "gauges.girder.reading: none.txt is not there; make it",
        "after: [girder]": "gauges.spare.after[0]: there is no IOC, service, archiver or gauge",
        "spare:": "gauges.desk-controls: this is the name of the desk of network controls; "
        "give the gauge another name",
    }.items():
        new = {"gauge.txt": "none.txt", "after: [girder]": "after: [nobody]"}
        with pytest.raises(LoadError) as error:
            load(
                file,
                text=text.replace(wrong, new.get(wrong, "desk-controls:")),
                sections=KINDS.sections,
            )
        assert told in str(error.value)
    schema = facility_schema(KINDS.sections)
    assert schema["properties"]["gauges"]["description"] == "Gauges, by name."
    assert {"address", "after", "port", "reading"} <= schema["$defs"]["Gauge"]["properties"].keys()
    # Without the line, this file is of another Linacre.
    with pytest.raises(LoadError, match="gauges: unknown key"):
        load(file)
