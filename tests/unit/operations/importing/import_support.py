"""IOCs as they stand on a server, for the tests of taking them over."""

from __future__ import annotations

import shutil
from pathlib import Path

from linacre.operations.importing.examine import examine
from linacre.operations.importing.understood import Understood

PROGRAM = Path("/bin/true")
"""Any program of this host stands for an IOC's: nothing of it is run."""

ST_CMD = """\
#!../../bin/linux-x86_64/lab
#- comments say nothing: dbLoadRecords("not.db")
# neither do these

< envPaths
epicsEnvSet("P", "LAB:")
epicsEnvSet P2 ${P}B:
cd "${TOP}"
dbLoadDatabase "dbd/lab.dbd"
lab_registerRecordDeviceDriver(pdbbase)
dbLoadRecords("db/lab.db", "P=$(P),N=1")
dbLoadRecords db/lab.db,"P=${P2},N=2"
dbLoadTemplate("db/lab.substitutions", "P=$(P)")
set_savefile_path("${TOP}/autosave")
cd "${TOP}/iocBoot/${IOC}"
iocInit()
create_monitor_set("lab.req", 30, "P=$(P)")
"""
DATABASE = """\
# a comment with a record(ai, "$(P)NOT")
record(ai, "$(P)READ$(N=)") { field(DESC, "not a record(ao, )") alias("$(P)ALSO$(N=)") }
record(ao, "$(P)SET$(N=)") {}
grecord(bo,$(P)SWITCH$(N=)) {}
"""
SUBSTITUTIONS = """\
global { AREA=S02 }
file "db/mag.template" {
    pattern { N, R }
    { "01", "CLA-${AREA}-" }
    { 02, "X,Y" }
}
file db/mag.template { { N="03", R=Z } { N=04,R=$(P) } }
"""


def application(top: Path, *, built: str = "/home/epics/lab", start: str = ST_CMD) -> Path:
    """Make an application as makeBaseApp leaves it; its program is `PROGRAM` with autosave."""
    for folder in ("bin/linux-x86_64", "db", "dbd", "iocBoot/ioclab", "labApp/src/O.linux-x86_64"):
        (top / folder).mkdir(parents=True)
    program = top / "bin/linux-x86_64/lab"
    shutil.copy(PROGRAM, program)
    program.write_bytes(program.read_bytes() + b"\0set_savefile_path\0create_monitor_set\0")
    (top / "dbd/lab.dbd").write_text("menu(x) {}\n")
    (top / "db/lab.db").write_text(DATABASE)
    (top / "db/lab.substitutions").write_text(SUBSTITUTIONS)
    (top / "db/mag.template").write_text('record(ai, "$(R)MAG$(N)") {}\n')
    (top / "labApp/src/O.linux-x86_64/lab.o").write_text("")
    boot = top / "iocBoot/ioclab"
    (boot / "envPaths").write_text(
        f'epicsEnvSet("IOC","ioclab")\nepicsEnvSet("TOP","{built}")\n'
        'epicsEnvSet("EPICS_BASE","/usr/lib/epics-base")\n'
    )
    (boot / "lab.req").write_text("$(P)SET1\n")
    (boot / "st.cmd").write_text(start)
    return top


def plain(folder: Path, start: str, **files: str) -> Path:
    """Make a folder with a start script and databases."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "st.cmd").write_text(start)
    for name, text in files.items():
        (folder / name.replace("_db", ".db")).write_text(text)
    return folder


def understand(folder: Path, *, engine: str = "incus", **settings: object) -> Understood:
    """Return what is understood of an IOC."""
    return examine(folder, engine=engine, **settings)  # type: ignore[arg-type]
