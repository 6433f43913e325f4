from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path, PurePosixPath

import pytest
from process_support import PYTHON, booted, marked, pids, read_until, until

from linacre.base.paths import FacilityPaths
from linacre.engines.base import MachineSpec, MachineState, Payload, PayloadFile
from linacre.engines.process.engine import ProcessEngine
from linacre.engines.process.folder import short_folder

MakeIoc = Callable[..., MachineSpec]
pytestmark = pytest.mark.timeout(120)

START = """
import asyncio, sys
from pathlib import Path
from linacre.base.paths import FacilityPaths
from linacre.engines.process.engine import ProcessEngine
async def main():
    await ProcessEngine("trial", FacilityPaths(Path(sys.argv[1]))).start("mag")
    print("started", flush=True)
    await asyncio.sleep(1000)
asyncio.run(main())
"""


def starter(paths: FacilityPaths) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PYTHON, "-c", START, str(paths.root)], stdout=subprocess.PIPE, start_new_session=True
    )


async def test_an_ioc_outlives_the_program_that_started_it(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await engine.create(make_ioc("mag"))
    with starter(paths) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"started\n"
        os.killpg(started.pid, signal.SIGKILL)
    await until(lambda: booted(paths, "mag"))
    assert [m.state for m in await engine.machines()] == [MachineState.RUNNING]
    stat = Path("/proc", str(pids(paths, "mag")[0]), "stat").read_text().rpartition(")")[2].split()
    assert int(stat[3]) not in (started.pid, os.getsid(0))  # a session of its own


@pytest.mark.parametrize("delay_ms", [0, 200, 260, 280, 300, 320, 350, 400, 500])
async def test_start_killed_midway_is_finished_by_the_next(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths, delay_ms: int
) -> None:
    await engine.create(make_ioc("mag"))
    with starter(paths) as started:
        try:
            started.wait(delay_ms / 1000)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
    await engine.start("mag")
    await until(lambda: booted(paths, "mag"))
    assert [m.state for m in await engine.machines()] == [MachineState.RUNNING]
    procservs = [
        pid for pid in marked(paths) if Path(f"/proc/{pid}/comm").read_text() == "procServ\n"
    ]
    assert procservs == [pids(paths, "mag")[0]]


async def test_a_machine_half_made_is_made_anew(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    home = paths.machines / "mag"
    (home / "tree").mkdir(parents=True)
    (home / "tree" / "half").write_text("of an IOC")
    (home / "persist").mkdir()
    (home / "persist" / "values.sav").write_text("kept")
    assert await engine.machines() == []
    await engine.create(make_ioc("mag"))
    assert sorted(p.name for p in (home / "tree").iterdir()) == ["ioc.db", "st.cmd"]
    assert (home / "persist" / "values.sav").read_text() == "kept"
    assert [(m.name, dict(m.labels)) for m in await engine.machines()] == [
        ("mag", {"digest": "one"})
    ]


CREATE = """
import os, sys
from pathlib import Path
from linacre.engines.process import files
real, left = files._lay_one, [int(sys.argv[2])]
def lay_one(file, target, home):
    if left[0] == 0:
        os.kill(os.getpid(), 9)
    left[0] -= 1
    real(file, target, home)
files._lay_one = lay_one
sys.path.insert(0, sys.argv[3])
from linacre.base.paths import FacilityPaths
from linacre.engines.process.folder import MachineFolder
from test_leftovers import plain_files
paths = FacilityPaths(Path(sys.argv[1]))
MachineFolder(paths.machines / "mag").make(plain_files(paths))
"""


@pytest.mark.parametrize("after", range(5))
async def test_create_killed_at_every_file_is_made_by_the_next(
    engine: ProcessEngine, paths: FacilityPaths, after: int
) -> None:
    here = str(Path(__file__).parent)
    done = subprocess.run([PYTHON, "-c", CREATE, str(paths.root), str(after), here])
    assert done.returncode == -signal.SIGKILL
    assert await engine.machines() == []
    await engine.create(plain_files(paths))
    tree = paths.machines / "mag/tree"
    assert {p.name: p.read_text() for p in tree.iterdir()} == {f"f{i}": str(i) for i in range(5)}


def plain_files(paths: FacilityPaths) -> MachineSpec:
    tree = PurePosixPath(paths.machines / "mag/tree")
    return MachineSpec(
        name="mag",
        kind="ioc",
        network="controls",
        address=IPv4Interface("10.251.0.11/24"),
        gateway=IPv4Address("10.251.0.1"),
        mac="02:00:00:00:00:01",
        image=None,
        payload=Payload(
            tuple(PayloadFile(tree / f"f{i}", data=str(i).encode()) for i in range(5)), (tree,)
        ),
    )


async def test_purge_leaves_nothing(
    engine: ProcessEngine, make_ioc: MakeIoc, desk_spec: MachineSpec, paths: FacilityPaths
) -> None:
    await engine.create(desk_spec)
    await engine.create(make_ioc("mag", 11))
    await engine.create(make_ioc("bpm", 12))
    await engine.set_record({"applied": "yes", "gone": "x"})
    await engine.set_record({"gone": None})
    assert await engine.record() == {"applied": "yes"}
    for name in ("mag", "bpm"):
        await engine.start(name)
    (paths.machines / "mag" / "tree").chmod(0o555)
    await engine.purge()
    assert marked(paths) == []
    assert not paths.machines.exists()
    assert await engine.machines() == []
    assert not await engine.exists()
    await engine.purge()


async def test_purge_ends_processes_whose_folder_was_removed_by_hand(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await engine.create(make_ioc("mag"))
    await engine.start("mag")
    await until(lambda: booted(paths, "mag"))
    (paths.machines / "mag").rename(paths.root / "elsewhere")
    await engine.purge()
    assert marked(paths) == []


async def test_a_long_state_path_has_a_short_socket(
    tmp_path: Path, make_ioc: MakeIoc, engine: ProcessEngine
) -> None:
    deep = FacilityPaths(tmp_path / ("d" * 60) / ("e" * 60) / "trial")
    long = ProcessEngine("trial", deep)
    await long.prepare()
    name = "a-name-of-twenty-two-c"
    layout = long.layout(name, IPv4Address("10.251.0.11"))
    assert len(str(layout.run / "console.sock")) <= 107
    assert layout == ProcessEngine("trial", deep).layout(name, IPv4Address("10.251.0.11"))
    await long.create(make_ioc(name, other=long))
    try:
        await long.start(name)
        await until(lambda: booted(deep, name))
        # The link may be cleared away like anything in /tmp.
        Path(layout.run).unlink()
        console = await long.console(name)
        await console.write(b"dbl\n")
        await read_until(console, b"SETI")
        await console.close()
        assert await long.read(name, layout.run / "pvs")
    finally:
        await long.purge()
    assert marked(deep) == []
    assert not short_folder().exists() or not any(
        link.readlink().is_relative_to(deep.root) for link in short_folder().iterdir()
    )
