"""What the doctor says of procServs that answer late, and of those that never do."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from doctor_support import FakeEngine, facts_of, machine, session_of

from linacre.observing.doctor import ioc_checks
from linacre.observing.doctor.ioc_checks import procserv_answers


@dataclass
class LateEngine(FakeEngine):
    """An engine whose machines give no banner to the first that connect."""

    silent: int = 0
    ends: list[socket.socket] = field(default_factory=list[socket.socket])

    async def connect(
        self, name: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        if len(self.ends) > self.silent:
            theirs.send(self.banner)
        return await asyncio.open_connection(sock=ours)


@pytest.mark.parametrize(("silent", "said"), [(0, "1 of 1"), (1, "1 of 1"), (2, "0 of 1")])
async def test_one_that_is_late_is_asked_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: int, said: str
) -> None:
    monkeypatch.setattr(ioc_checks, "_BANNER_LIMITS_S", (0.05, 30.0 if silent < 2 else 0.05))
    engine = LateEngine(silent=silent)
    facts = facts_of(session_of(tmp_path, engine), machine("mag", ioc="mag"))
    outcome = await procserv_answers(facts)
    assert outcome.said == f"{said} answer with their banner"
    assert [each.what for each in outcome.findings] == ["mag"] * (silent == 2)
    for end in engine.ends:
        end.close()
