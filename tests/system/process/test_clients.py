from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from process_support import PYTHON, booted, read_until, running, until

from linacre.base.errors import EngineError, UserError
from linacre.base.paths import FacilityPaths
from linacre.engines.base import MachineSpec, MachineState
from linacre.engines.process.engine import ProcessEngine

MakeIoc = Callable[..., MachineSpec]
pytestmark = pytest.mark.timeout(120)

CA = """
import asyncio, json
from aioca import caget
async def get():
    return [float(await caget(n, timeout=10)) for n in ("MAG:READI", "BPM:READI")]
print(json.dumps(asyncio.run(get())))
"""
PVA = """
import json
from p4p.client.thread import Context
with Context("pva", nt=False) as context:
    print(json.dumps([context.get(n, timeout=10).value for n in ("MAG:READI", "BPM:READI")]))
"""
CAPROTO = """
import json
from caproto.sync.client import read
print(json.dumps([float(read(n, timeout=10).data[0]) for n in ("MAG:READI", "BPM:READI")]))
"""


async def two_iocs(engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths) -> None:
    for name, number in (("mag", 11), ("bpm", 12)):
        await engine.create(make_ioc(name, number))
    for name in ("mag", "bpm"):
        await engine.start(name)
        await until(lambda name=name: booted(paths, name))


async def test_real_clients_reach_every_ioc_from_the_desk(
    engine: ProcessEngine, make_ioc: MakeIoc, desk_spec: MachineSpec, paths: FacilityPaths
) -> None:
    await two_iocs(engine, make_ioc, paths)
    await engine.create(desk_spec)
    await engine.start(desk_spec.name)
    for client in (CA, PVA, CAPROTO):
        done = await engine.exec(desk_spec.name, [PYTHON, "-c", client])
        assert (done.status, json.loads(done.stdout or b"null")) == (0, [2.5, 2.5]), done


async def test_a_desk_always_runs(
    engine: ProcessEngine, desk_spec: MachineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.create(desk_spec)
    await engine.stop(desk_spec.name)
    assert [m.state for m in await engine.machines()] == [MachineState.RUNNING]
    with pytest.raises(UserError, match="no console"):
        await engine.console(desk_spec.name)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    done = await engine.exec(desk_spec.name, ["sh", "-c", "command -v caget; pwd"])
    caget, folder = done.stdout.decode().split()
    assert caget.endswith("caget")
    assert Path(folder) == Path.cwd()


async def test_exec_gives_output_status_and_errors(
    engine: ProcessEngine, make_ioc: MakeIoc, paths: FacilityPaths
) -> None:
    await engine.create(make_ioc("mag"))
    done = await engine.exec(
        "mag",
        ["sh", "-c", 'cat; pwd; echo "$IOC $X" >&2; exit 3'],
        stdin=b"in\n",
        environment={"X": "y"},
    )
    assert done.status == 3
    assert done.stdout.decode() == f"in\n{paths.machines}/mag/tree\n"
    assert done.stderr == b"mag y\n"
    missing = await engine.exec("mag", ["no-such-program"])
    assert missing.status == 127
    assert missing.stderr == b"no-such-program: not found\n"
    killed = await engine.exec("mag", ["sh", "-c", "kill -9 $$"])
    assert killed.status == 137


async def test_a_shell_on_a_terminal(engine: ProcessEngine, desk_spec: MachineSpec) -> None:
    await engine.create(desk_spec)
    shell = await engine.shell(desk_spec.name, ["sh"], size=(91, 33))
    await shell.write(b"stty size; tty\n")
    # Both may come at once.
    assert b"33 91" in await read_until(shell, b"/dev/pts/")
    await shell.resize(100, 40)
    await shell.write(b"stty size\n")
    await read_until(shell, b"40 100")
    # Told by the command itself: what was typed is shown before anything runs.
    await shell.write(b"PS1='re''ady> '\n")
    await read_until(shell, b"ready> ")
    await shell.write(b"sh -c 'echo be''gun; exec sleep 1000'\n")
    await read_until(shell, b"begun")
    await shell.write(b"\x03")
    # What is typed while an interrupt is dealt with may be thrown away with it.
    await read_until(shell, b"ready> ")
    await shell.write(b"echo still $((1 + 1))\n")
    await read_until(shell, b"still 2")
    await shell.write(b"exit 5\n")
    while await shell.read():
        pass
    assert await shell.close() == 5


async def test_closing_a_terminal_hangs_up(engine: ProcessEngine, desk_spec: MachineSpec) -> None:
    await engine.create(desk_spec)
    shell = await engine.shell(
        desk_spec.name, ["sh", "-c", "echo $$; exec sleep 1000"], size=(80, 24)
    )
    pid = (await read_until(shell, b"\n")).split()[0].decode()
    assert await shell.close() == 129
    await until(lambda: not Path("/proc", pid).exists())


async def test_a_shell_on_pipes(engine: ProcessEngine, desk_spec: MachineSpec) -> None:
    await engine.create(desk_spec)
    shell = await engine.shell(desk_spec.name, ["sh", "-c", "read x; echo got $x; exit 4"])
    await shell.write(b"it\n")
    assert await read_until(shell, b"\n") == b"got it\n"
    assert await shell.read() == b""
    assert await shell.close() == 4
    with pytest.raises(EngineError, match="no-such-program cannot be run"):
        await engine.shell(desk_spec.name, ["no-such-program"])


async def test_a_program_left_behind_holds_up_neither_exec_nor_shell(
    engine: ProcessEngine, desk_spec: MachineSpec
) -> None:
    await engine.create(desk_spec)
    behind = ["sh", "-c", "sleep 1000 & echo $!; exit 3"]
    async with asyncio.timeout(10):
        done = await engine.exec(desk_spec.name, behind)
        shell = await engine.shell(desk_spec.name, behind)
        left = [int(done.stdout), int(await read_until(shell, b"\n"))]
        assert await shell.read() == b""
        assert (done.status, await shell.close()) == (3, 3)
    assert all(Path("/proc", str(pid)).exists() for pid in left)
    await engine.purge()
    await until(lambda: not any(running(pid) for pid in left))


async def test_what_a_command_prints_is_passed_on_as_it_comes(
    engine: ProcessEngine, desk_spec: MachineSpec
) -> None:
    await engine.create(desk_spec)
    first = asyncio.Event()
    seen: list[tuple[int, bytes]] = []

    def output(descriptor: int, data: bytes) -> None:
        seen.append((descriptor, data))
        first.set()

    script = 'echo one; while [ ! -e "$GO" ]; do sleep 0.02; done; echo two >&2; exit 7'
    go = Path(engine.layout(desk_spec.name, desk_spec.address.ip).persist) / "go"
    running_command = asyncio.create_task(
        engine.exec(
            desk_spec.name, ["sh", "-c", script], environment={"GO": str(go)}, output=output
        )
    )
    async with asyncio.timeout(10):
        await first.wait()
        assert seen == [(1, b"one\n")]
        go.touch()
        done = await running_command
    assert (done.status, done.stdout, done.stderr) == (7, b"", b"")
    assert seen == [(1, b"one\n"), (2, b"two\n")]


async def test_much_output_arrives_whole(engine: ProcessEngine, desk_spec: MachineSpec) -> None:
    await engine.create(desk_spec)
    done = await engine.exec(desk_spec.name, ["head", "-c", "20000000", "/dev/zero"])
    assert (done.status, len(done.stdout)) == (0, 20_000_000)


async def test_a_command_whose_output_has_nowhere_to_go_is_ended(
    engine: ProcessEngine, desk_spec: MachineSpec
) -> None:
    await engine.create(desk_spec)
    pid: list[int] = []

    def output(_: int, data: bytes) -> None:
        pid.append(int(data))
        raise BrokenPipeError

    async with asyncio.timeout(10):
        with pytest.raises(BrokenPipeError):
            await engine.exec(
                desk_spec.name, ["sh", "-c", "echo $$; exec sleep 1000"], output=output
            )
    assert not running(pid[0])


async def test_a_cancelled_command_is_ended(engine: ProcessEngine, desk_spec: MachineSpec) -> None:
    await engine.create(desk_spec)
    pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    command = asyncio.create_task(
        engine.exec(
            desk_spec.name,
            ["sh", "-c", "echo $$; exec sleep 1000"],
            output=lambda _, data: pid.set_result(int(data)),
        )
    )
    async with asyncio.timeout(10):
        found = await pid
        command.cancel()
        with pytest.raises(asyncio.CancelledError):
            await command
    assert not running(found)
