"""Byte streams to programs inside machines, over the websockets of an `exec` operation."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from linacre.base.errors import EngineError
from linacre.engines.base import LARGEST_OUTPUT, Completed, Output, too_much_output
from linacre.engines.incus.client import IncusClient, IncusError, Operation
from linacre.engines.incus.http import unless_gone

if TYPE_CHECKING:
    import aiohttp

PATH = "/opt/linacre/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "USER": "root"}

_CHUNK = 1 << 16
_TRIES = 4
_ENDS = ("TEXT", "CLOSE", "CLOSING", "CLOSED", "ERROR")
"""Kinds of messages, of aiohttp's `WSMsgType`, behind which nothing comes."""


async def _begin(
    client: IncusClient,
    instance: str,
    argv: Sequence[str],
    environment: Mapping[str, str] | None,
    extra: Mapping[str, Any],
) -> tuple[Operation, dict[str, str]]:
    body = {
        "command": list(argv),
        "environment": ENVIRONMENT | dict(environment or {}),
        "wait-for-websocket": True,
        **extra,
    }
    operation = await client.begin("POST", f"/1.0/instances/{instance}/exec", body=body)
    return operation, cast(dict[str, str], operation.metadata["fds"])


async def _join(
    client: IncusClient,
    instance: str,
    argv: Sequence[str],
    environment: Mapping[str, str] | None,
    extra: Mapping[str, Any],
    streams: Sequence[str],
) -> tuple[Operation, list[aiohttp.ClientWebSocketResponse]]:
    """Begin a program and join these of its streams.

    The daemon waits 5 s for them, which may be too short on a host whose cores are all busy, and
    begins the program when they are there: one that never began is begun again.
    """
    for left in reversed(range(_TRIES)):
        operation, fds = await _begin(client, instance, argv, environment, extra)
        found = await asyncio.gather(
            *(client.websocket(operation, fds[each]) for each in streams), return_exceptions=True
        )
        failed = [each for each in found if isinstance(each, BaseException)]
        joined = [each for each in found if not isinstance(each, BaseException)]
        if not failed:
            return operation, joined
        for socket in joined:
            await socket.close()
        if left == 0 or not await _never_began(client, operation):
            raise failed[0]
    raise ValueError("there is at least one try")


async def _never_began(client: IncusClient, operation: Operation) -> bool:
    """Tell whether the daemon says that it did not begin a program, for lack of its streams."""
    found = await client.get_or_none(f"/1.0/operations/{operation.id}", project=False)
    return found is not None and "waiting for websockets" in str(found.get("err"))


async def _drain(
    socket: aiohttp.ClientWebSocketResponse,
    descriptor: int,
    output: Output | None,
    *,
    instance: str,
) -> tuple[bytes, bool]:
    """Return what a program printed, and whether the daemon said that this is all.

    Raises `EngineError` where it is more than is taken.
    """
    parts: list[bytes] = []
    size = 0
    while (message := await socket.receive()).type.name not in _ENDS:
        if message.type.name == "BINARY":
            if output is not None:
                output(descriptor, cast(bytes, message.data))
            else:
                parts.append(cast(bytes, message.data))
                size += len(parts[-1])
                if size > LARGEST_OUTPUT:
                    raise too_much_output(instance)
    await socket.close()
    # The daemon's end of output is an empty text message.
    return b"".join(parts), message.type.name == "TEXT"


async def _signal(control: aiohttp.ClientWebSocketResponse, number: signal.Signals) -> None:
    with unless_gone():
        await control.send_str(json.dumps({"command": "signal", "signal": int(number)}))


async def _feed(socket: aiohttp.ClientWebSocketResponse, data: bytes) -> None:
    with unless_gone():
        for start in range(0, len(data), _CHUNK):
            await socket.send_bytes(data[start : start + _CHUNK])
        # An empty text message is Incus' end of input.
        await socket.send_str("")
    await socket.close()


def _status_of(error: IncusError) -> int | None:
    """Return the status that a shell gives a program that cannot be run, if it is that."""
    statuses = {"Command not found": 127, "Command not executable": 126}
    return next((status for said, status in statuses.items() if said in str(error)), None)


def _not_run(program: str, status: int, output: Output | None) -> Completed:
    why = "No such file or directory" if status == 127 else "cannot be executed"
    line = f"{program}: {why}\n".encode()
    if output is not None:
        output(2, line)
        line = b""
    return Completed(status, b"", line)


async def run(
    client: IncusClient,
    instance: str,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    output: Output | None = None,
) -> Completed:
    """Run a command without a terminal, to its end; end it if we are cancelled.

    Raises `EngineError` where the command ran and what it printed did not come whole.
    """
    streams = ("control", "0", "1", "2")
    operation, (control, zero, one, two) = await _join(
        client, instance, argv, environment, {"interactive": False}, streams
    )
    feeding = asyncio.create_task(_feed(zero, stdin))
    printing = asyncio.create_task(_drain(one, 1, output, instance=instance))
    failing = asyncio.create_task(_drain(two, 2, output, instance=instance))
    ending = asyncio.create_task(client.wait(operation))
    parts = (feeding, printing, failing, ending)
    try:
        await asyncio.gather(*parts)
    except IncusError as error:
        if (status := _status_of(error)) is None:
            raise
        return _not_run(argv[0], status, output)
    except BaseException:
        await _signal(control, signal.SIGTERM)
        raise
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await control.close()
    (out, is_out_whole), (err, is_err_whole) = printing.result(), failing.result()
    if not (is_out_whole and is_err_whole):
        raise EngineError(f"{instance}: a part of what {argv[0]} printed was lost on its way")
    return Completed(int(ending.result().metadata.get("return", -1)), out, err)


class ExecStream:
    """A program inside a machine: on a terminal of its own, or on plain pipes."""

    def __init__(
        self,
        client: IncusClient,
        operation: Operation,
        *,
        control: aiohttp.ClientWebSocketResponse,
        sending: aiohttp.ClientWebSocketResponse,
        receiving: Sequence[aiohttp.ClientWebSocketResponse],
    ) -> None:
        self._client = client
        self._operation = operation
        self._control = control
        self._sending = sending
        self._receiving = receiving
        self._pumped: asyncio.Queue[bytes] = asyncio.Queue(maxsize=64)
        self._pumps = [asyncio.create_task(self._pump(socket)) for socket in receiving]
        self._open = len(receiving)

    @classmethod
    async def open(
        cls,
        client: IncusClient,
        instance: str,
        argv: Sequence[str],
        *,
        size: tuple[int, int] | None,
        environment: Mapping[str, str] | None,
    ) -> ExecStream:
        """Start the program; with `size` (columns, rows) it gets a terminal."""
        extra: dict[str, Any] = {"interactive": size is not None}
        if size is not None:
            extra |= {"width": size[0], "height": size[1]}
        # Both outputs: a program whose error output nobody takes is ended by a broken pipe.
        streams = ("control", "0") if size is not None else ("control", "0", "1", "2")
        operation, (control, first, *both) = await _join(
            client, instance, argv, environment, extra, streams
        )
        return cls(client, operation, control=control, sending=first, receiving=both or [first])

    async def _pump(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            message = await socket.receive()
            if message.type.name == "BINARY":
                if data := cast(bytes, message.data):
                    await self._pumped.put(data)
            elif message.type.name != "PING":
                break
        await self._pumped.put(b"")

    async def read(self) -> bytes:
        """Return the next bytes of output or error output, or b"" at the end of both."""
        while self._open > 0:
            if data := await self._pumped.get():
                return data
            self._open -= 1
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; what comes after the far side's end is dropped."""
        with unless_gone():
            await self._sending.send_bytes(data)

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the program the size of the terminal."""
        order = {
            "command": "window-resize",
            "args": {"width": str(columns), "height": str(rows)},
        }
        with unless_gone():
            await self._control.send_str(json.dumps(order))

    async def close(self) -> int:
        """End the stream and return the program's exit status; one that goes on is hung up."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        for socket in {self._sending, *self._receiving}:
            await socket.close()
        try:
            async with asyncio.timeout(2):
                done = await self._client.wait(self._operation)
        except TimeoutError:
            await _signal(self._control, signal.SIGHUP)
            return 0
        finally:
            await self._control.close()
        return int(done.metadata.get("return", 0))
