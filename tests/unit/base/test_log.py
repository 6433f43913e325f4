from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.base.log import (
    HIDDEN,
    HumanStream,
    JsonFile,
    get_logger,
    logging_to,
    redact,
    redact_text,
)

log = get_logger("test")


class HeldClock:
    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[JsonFile]:
    with closing(JsonFile(tmp_path / "log" / "task.log", clock=HeldClock())) as opened:
        yield opened


def lines(file: JsonFile) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.path.read_text().splitlines()]


def test_a_line_is_json_with_time_level_and_fields(file: JsonFile) -> None:
    with logging_to(file):
        log.bind(machine="S02-MAG").info("made", seconds=1.5, path=Path("/x"))

    assert lines(file) == [
        {
            "at": "1970-01-01T00:00:00.000+00:00",
            "level": "info",
            "event": "made",
            "machine": "S02-MAG",
            "seconds": 1.5,
            "path": "/x",
            "logger": "test",
        }
    ]


def test_without_a_sink_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    log.error("nobody listens")
    assert capfd.readouterr() == ("", "")


def test_an_exception_is_logged_with_its_traceback(file: JsonFile) -> None:
    with logging_to(file):
        try:
            raise ValueError("password=hunter2")
        except ValueError as error:
            log.error("failed", exc_info=error)

    (line,) = lines(file)
    assert "ValueError" in str(line["exception"]) and "hunter2" not in str(line["exception"])


async def test_two_tasks_at_once_keep_two_logs(tmp_path: Path) -> None:
    files = [JsonFile(tmp_path / name, clock=HeldClock()) for name in ("a", "b")]

    async def work(file: JsonFile) -> None:
        with logging_to(file):
            for _ in range(3):
                await asyncio.to_thread(log.info, "in a thread", file=file.path.name)
                log.info("here", file=file.path.name)

    await asyncio.gather(*map(work, files))
    for file in files:
        file.close()
        assert [line["file"] for line in lines(file)] == [file.path.name] * 6


def test_debug_lines_are_for_people() -> None:
    stream = io.StringIO()
    with logging_to(HumanStream(stream, clock=HeldClock())):
        log.warning("slow disk", seconds=3)
    assert stream.getvalue().rstrip().endswith("warning slow disk seconds=3 [test]")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "password_hash",
        "token",
        "key",
        "Authorization",
        "client-key",
        "API_KEY",
        "secret",
    ],
)
def test_no_value_under_a_secrets_name_passes(file: JsonFile, name: str) -> None:
    with logging_to(file):
        log.info("x", **{name: "hunter2"}, inside={"list": [{name: ["hunter2"]}]})
        log.info(f"{name}=hunter2", argv=["tool", f"--{name}=hunter2", f'{{"{name}": "hunter2"}}'])

    assert "hunter2" not in file.path.read_text()
    assert HIDDEN in file.path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "https://user:hunter2@host/repo.git",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----",
        "root:$6$salt$hunter2:19000",
        "$y$j9T$salt$hunter2",
        "Authorization: Bearer hunter2",
    ],
)
def test_what_looks_like_a_secret_does_not_pass(text: str) -> None:
    assert "hunter2" not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "machine:S02-MAG",
        "the key of the step",
        "unknown key: x",
        "$(P)$(R)READI",
        "keys: 3",
        "monkey=1",
    ],
)
def test_ordinary_text_passes_as_it_is(text: str) -> None:
    assert redact_text(text) == text
    assert redact({"step": text, "keys": [1], "ok": True}) == {
        "step": text,
        "keys": [1],
        "ok": True,
    }


@given(st.text())
def test_redaction_never_fails_and_settles(text: str) -> None:
    assert redact_text(redact_text(text)) == redact_text(text)


def test_a_full_disk_does_not_end_the_work() -> None:
    with closing(JsonFile(Path("/dev/full"), clock=HeldClock())) as file, logging_to(file):
        log.info("lost")
