"""Byte streams to programs inside machines, over the websockets of an `exec` operation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Mapping, Sequence
from typing import Any, cast

import aiohttp

from linacre.engines.base import Completed, Output
from linacre.engines.incus.client import IncusClient, Operation

PATH = "/opt/linacre/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "USER": "root"}

_CHUNK = 1 << 16


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


async def _drain(
    socket: aiohttp.ClientWebSocketResponse, descriptor: int, output: Output | None
) -> bytes:
    parts: list[bytes] = []
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY:
            if output is not None:
                output(descriptor, cast(bytes, message.data))
            else:
                parts.append(cast(bytes, message.data))
        elif message.type is aiohttp.WSMsgType.TEXT:
            break
    await socket.close()
    return b"".join(parts)


async def _signal(control: aiohttp.ClientWebSocketResponse, number: signal.Signals) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        await control.send_str(json.dumps({"command": "signal", "signal": int(number)}))


async def _feed(socket: aiohttp.ClientWebSocketResponse, data: bytes) -> None:
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        for start in range(0, len(data), _CHUNK):
            await socket.send_bytes(data[start : start + _CHUNK])
        # An empty text message is Incus' end of input.
        await socket.send_str("")
    await socket.close()


async def run(
    client: IncusClient,
    instance: str,
    argv: Sequence[str],
    *,
    stdin: bytes,
    environment: Mapping[str, str] | None,
    output: Output | None = None,
) -> Completed:
    """Run a command without a terminal, to its end; end it if we are cancelled."""
    operation, fds = await _begin(client, instance, argv, environment, {"interactive": False})
    control, zero, one, two = [
        await client.websocket(operation, fds[fd]) for fd in ("control", "0", "1", "2")
    ]
    try:
        _, out, err, done = await asyncio.gather(
            _feed(zero, stdin),
            _drain(one, 1, output),
            _drain(two, 2, output),
            client.wait(operation),
        )
    except asyncio.CancelledError:
        await _signal(control, signal.SIGTERM)
        raise
    finally:
        await control.close()
    return Completed(int(done.metadata.get("return", -1)), out, err)


class ExecStream:
    """A program inside a machine: on a terminal of its own, or on plain pipes."""

    def __init__(
        self,
        client: IncusClient,
        operation: Operation,
        *,
        control: aiohttp.ClientWebSocketResponse,
        sending: aiohttp.ClientWebSocketResponse,
        receiving: aiohttp.ClientWebSocketResponse,
    ) -> None:
        self._client = client
        self._operation = operation
        self._control = control
        self._sending = sending
        self._receiving = receiving

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
        operation, fds = await _begin(client, instance, argv, environment, extra)
        control = await client.websocket(operation, fds["control"])
        first = await client.websocket(operation, fds["0"])
        if size is not None:
            return cls(client, operation, control=control, sending=first, receiving=first)
        out = await client.websocket(operation, fds["1"])
        err = await client.websocket(operation, fds["2"])
        await err.close()
        return cls(client, operation, control=control, sending=first, receiving=out)

    async def read(self) -> bytes:
        """Return the next bytes, or b"" at the end."""
        while True:
            message = await self._receiving.receive()
            if message.type is aiohttp.WSMsgType.BINARY:
                if data := cast(bytes, message.data):
                    return data
            elif message.type is not aiohttp.WSMsgType.PONG:
                return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; what comes after the far side's end is dropped."""
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self._sending.send_bytes(data)

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the program the size of the terminal."""
        order = {
            "command": "window-resize",
            "args": {"width": str(columns), "height": str(rows)},
        }
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self._control.send_str(json.dumps(order))

    async def close(self) -> int:
        """End the stream and return the program's exit status; one that goes on is hung up."""
        for socket in {self._sending, self._receiving}:
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
