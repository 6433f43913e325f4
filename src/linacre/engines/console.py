"""The console of an IOC as clean bytes: a stream to procServ with its telnet taken off."""

from __future__ import annotations

from linacre.engines.base import Stream
from linacre.engines.telnet import TelnetFilter, escape


class ConsoleStream:
    """A byte stream to procServ, without the telnet that it speaks."""

    def __init__(self, raw: Stream) -> None:
        self._raw = raw
        self._filter = TelnetFilter()

    async def read(self) -> bytes:
        """Return the next bytes of the IOC's console, or b"" at the end."""
        while data := await self._raw.read():
            clean, reply = self._filter.feed(data)
            if reply:
                await self._raw.write(reply)
            if clean:
                return clean
        return b""

    async def write(self, data: bytes) -> None:
        """Type bytes at the console."""
        await self._raw.write(escape(data))

    async def resize(self, columns: int, rows: int) -> None:
        """Do nothing: a console has no size."""

    async def close(self) -> int:
        """End the stream; the IOC goes on."""
        await self._raw.close()
        return 0
