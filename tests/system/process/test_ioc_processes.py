from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from process_support import PYTHON, booted, marked, pids, read_until, until

from linacre.base.errors import EngineError
from linacre.base.paths import FacilityPaths
from linacre.engines.base import MachineSpec, MachineState
from linacre.engines.process.addresses import loopback_address
from linacre.engines.process.engine import ProcessEngine

MakeIoc = Callable[..., MachineSpec]
pytestmark = pytest.mark.timeout(120)


async def state_of(engine: ProcessEngine, name: str) -> MachineState:
    return {m.name: m.state for m in await engine.machines()}[name]


async def up(engine: ProcessEngine, spec: MachineSpec, paths: FacilityPaths) -> None:
    await engine.create(spec)
    await engine.start(spec.name)
    await until(lambda: booted(paths, spec.name))


async def test_start_and_stop_twice(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    first = pids(paths, "mag")
    await engine.start("mag")
    assert pids(paths, "mag") == first
    assert [m.pid for m in await engine.machines()] == [first[0]]
    await engine.stop("mag")
    assert await state_of(engine, "mag") is MachineState.STOPPED
    assert marked(paths) == []
    await engine.stop("mag")
    assert await state_of(engine, "mag") is MachineState.STOPPED


async def test_console_gives_the_ioc_shell(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    console = await engine.console("mag")
    await console.write(b"dbl\r\n")
    seen = await read_until(console, b"MAG:READI")
    assert b"\xff" not in seen
    assert await console.close() == 0
    assert await state_of(engine, "mag") is MachineState.RUNNING


async def test_console_of_a_stopped_ioc_says_how_to_start_it(
    engine: ProcessEngine, make_ioc: MakeIoc
) -> None:
    await engine.create(make_ioc("mag"))
    with pytest.raises(EngineError, match="linacre ioc start mag"):
        await engine.console("mag")


async def test_killed_ioc_comes_back(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    procserv, ioc = pids(paths, "mag")
    os.kill(ioc, signal.SIGKILL)
    await until(lambda: pids(paths, "mag")[1] != ioc and booted(paths, "mag"))
    assert pids(paths, "mag")[0] == procserv
    assert await state_of(engine, "mag") is MachineState.RUNNING


async def test_killed_procserv_is_seen_and_started_anew(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    procserv, _ = pids(paths, "mag")
    os.kill(procserv, signal.SIGKILL)
    # A process that is being killed has no environment any more, and yet still runs: look again.
    await until(lambda: procserv not in marked(paths))
    for _ in range(100):
        if await state_of(engine, "mag") is MachineState.STOPPED:
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("mag is not seen as stopped")
    await engine.start("mag")
    await until(lambda: booted(paths, "mag"))
    assert await state_of(engine, "mag") is MachineState.RUNNING


async def test_orphans_that_hold_the_ports_are_cleared_by_start(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    spec = make_ioc("mag")
    await engine.create(spec)
    home = paths.machines / "mag"
    listen = (
        "import socket,signal,sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "s=socket.create_server((sys.argv[1], 5064))\n"
        "print('here', flush=True)\n"
        "signal.pause()\n"
    )
    orphan = subprocess.Popen(
        [PYTHON, "-c", listen, str(loopback_address(spec.address.ip))],
        env={**os.environ, "LINACRE_MACHINE": str(home)},
        stdout=subprocess.PIPE,
    )
    with orphan:
        assert orphan.stdout is not None
        assert orphan.stdout.readline() == b"here\n"
        await engine.start("mag")
        assert orphan.wait() == -signal.SIGKILL
    await until(lambda: booted(paths, "mag"))


async def test_start_names_the_holder_of_a_busy_port(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    spec = make_ioc("mag")
    await engine.create(spec)
    address = loopback_address(spec.address.ip)
    with (
        socket.create_server((str(address), 7001)),
        pytest.raises(EngineError, match=f"{address} port 7001 .*in use by process {os.getpid()}"),
    ):
        await engine.start("mag")
    assert marked(paths) == []
    await engine.start("mag")
    assert await state_of(engine, "mag") is MachineState.RUNNING


async def test_a_reused_process_id_is_neither_believed_nor_killed(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await engine.create(make_ioc("mag"))
    with subprocess.Popen([PYTHON, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        stat = Path(f"/proc/{stranger.pid}/stat").read_text().split()
        stat[21] = str(int(stat[21]) - 1)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        (paths.machines / "mag/process").write_text(f"{' '.join(stat)}\n{boot}")
        assert await state_of(engine, "mag") is MachineState.STOPPED
        await engine.stop("mag")
        await engine.start("mag")
        assert await state_of(engine, "mag") is MachineState.RUNNING
        assert stranger.poll() is None
        stranger.communicate(b"\n")


async def test_a_stamp_of_another_boot_counts_for_nothing(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    stamp = paths.machines / "mag/process"
    text = stamp.read_text().splitlines()
    stamp.write_text(f"{text[0]}\n11111111-2222-3333-4444-555555555555\n")
    assert await state_of(engine, "mag") is MachineState.STOPPED


async def test_two_iocs_have_the_same_ports_and_one_restarts_alone(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag", 11), paths)
    await up(engine, make_ioc("bpm", 12), paths)
    before = pids(paths, "mag"), pids(paths, "bpm")
    await engine.restart_program("mag")
    await until(lambda: booted(paths, "mag"))
    assert pids(paths, "bpm") == before[1]
    assert not set(pids(paths, "mag")) & set(before[0])


async def test_update_leaves_the_ioc_running_and_takes_away_what_is_gone(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    tree = paths.machines / "mag/tree"
    (tree / "stray").mkdir()
    (tree / "stray" / "old.db").touch()
    (paths.machines / "mag/persist/autosave/values.sav").write_text("kept")
    before = pids(paths, "mag")
    await engine.update(make_ioc("mag", text=b"# changed\n"))
    assert pids(paths, "mag") == before
    assert sorted(p.name for p in tree.iterdir()) == ["autosave", "ioc.db", "st.cmd"]
    assert (tree / "st.cmd").read_text().endswith("# changed\n")
    assert (tree / "autosave/values.sav").read_text() == "kept"


async def test_delete_keeps_the_persistent_folder_when_asked(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await up(engine, make_ioc("mag"), paths)
    (paths.machines / "mag/persist/autosave/values.sav").write_text("kept")
    await engine.delete("mag", keep_persistent=True)
    assert await engine.machines() == []
    assert marked(paths) == []
    await up(engine, make_ioc("mag"), paths)
    assert (paths.machines / "mag/tree/autosave/values.sav").read_text() == "kept"
    await engine.delete("mag")
    await engine.delete("mag")
    assert not (paths.machines / "mag").exists()


async def test_a_start_script_that_fails_is_quoted(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await engine.create(make_ioc("mag"))
    start = paths.machines / "mag/etc/start"
    start.write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    with pytest.raises(EngineError, match="mag: procServ ended at once: no such luck"):
        await engine.start("mag")
    assert await state_of(engine, "mag") is MachineState.STOPPED


async def test_run_time_state_is_read_only_while_it_runs(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    spec = make_ioc("mag")
    layout = engine.layout("mag", spec.address.ip)
    await up(engine, spec, paths)
    assert b"MAG:SETI" in (await engine.read("mag", layout.run / "pvs") or b"")
    assert await engine.read("mag", layout.tree / "ioc.db", limit=4) == b") }\n"
    procserv, _ = pids(paths, "mag")
    stat = await engine.read("mag", PurePosixPath(f"/proc/{procserv}/stat"))
    assert stat is not None and b"procServ" in stat
    await engine.stop("mag")
    assert await engine.read("mag", layout.run / "pvs") is None
    assert await engine.read("mag", layout.tree / "none") is None
    assert await engine.read("nobody", layout.tree / "ioc.db") is None
