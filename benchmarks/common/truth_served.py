"""An IOC of the truth suite as the benchmark has it: begun, told what to send, killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.archiver import free_port
from linacre.base.errors import LinacreError

_END_S = 10.0


class TruthIoc:
    """An IOC on an address of the loopback that it keeps from life to life."""

    def __init__(self, protocol: str, folder: Path, copies: int) -> None:
        self.protocol, self.folder, self.copies = protocol, folder, copies
        chosen = random.SystemRandom()
        host = f"127.{chosen.randrange(100, 250)}.{chosen.randrange(250)}.1"
        self.address = host if protocol == "ca" else f"127.0.0.1:{free_port()}"
        self.life = -1
        self._process: subprocess.Popen[str] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Where an archiver finds it, and nothing else."""
        ca = self.protocol == "ca"
        return {
            "EPICS_CA_ADDR_LIST": self.address if ca else "127.0.0.1:9",
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_PVA_NAME_SERVERS": "" if ca else self.address,
            "EPICS_PVA_ADDR_LIST": "",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
        }

    @property
    def logs(self) -> Sequence[Path]:
        """The logs of its lives."""
        return [self.folder / f"{self.protocol}-{life}.log" for life in range(self.life + 1)]

    def start(self, room: int) -> None:
        """Begin the next life, whose log has room for so many updates; nobody is served yet."""
        self.life += 1
        program = Path(__file__).with_name(f"truth_{self.protocol}_ioc.py")
        numbers = [str(number) for number in (self.life, self.copies, room)]
        own = {
            "EPICS_CAS_INTF_ADDR_LIST": self.address,
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "TRUTH_ADDRESS": self.address,
        }
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", str(program), str(self.folder), *numbers],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, **own},
            )

    def tell(self, do: str, **what: Any) -> None:
        """Tell it to do something; it answers when it is done."""
        process = self._running
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"do": do, **what}) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def answer(self) -> Mapping[str, Any]:
        """Wait for its answer; `LinacreError` where it ended instead."""
        stdout = self._running.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line:
            raise self._ended()
        return json.loads(line)

    def ask(self, do: str, **what: Any) -> Mapping[str, Any]:
        """Tell it to do something, and wait until it is done."""
        self.tell(do, **what)
        return self.answer()

    def kill(self) -> None:
        """End this life at once, whatever it does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it, if it runs."""
        if self._process is not None:
            self._end(signal.SIGKILL)

    @property
    def _said(self) -> Path:
        return self.folder / f"{self.protocol}-ioc.err"

    @property
    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise LinacreError("the IOC is not running")
        return self._process

    def _ended(self) -> LinacreError:
        tail = self._said.read_text(errors="replace").splitlines()[-5:]
        return LinacreError("the IOC of the suite has ended: " + " | ".join(tail))

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._running, None
        process.send_signal(how)
        process.wait(_END_S)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


@contextmanager
def truth_ioc(protocol: str, folder: Path, copies: int) -> Generator[TruthIoc]:
    """Have an IOC, which is ended with the block; it does not run yet."""
    ioc = TruthIoc(protocol, folder, copies)
    try:
        yield ioc
    finally:
        ioc.close()
