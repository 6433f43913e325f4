"""What machines wrote is shown on a terminal without orders, by every command."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path, PurePosixPath
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from linacre import cli
from linacre.base.errors import LinacreError
from linacre.base.log import HumanStream
from linacre.cli import context, main
from linacre.cli.logs import LogText, print_log
from linacre.cli.render import UpProgress, print_facts, print_json
from linacre.engines.base import Completed, Engine, Output

EVIL = "\x1b[2J\x1b]52;c;cm0gLXJm\x07\x9b8m\u202e"
SHOWN = "^[[2J^[]52;c;cm0gLXJm^G<9B>8m<U+202E>"
WRITERS = {
    "context.py": "put say confirm",
    "desk.py": "show",
    "logs.py": "show",
    "main.py": "_version _say",
    "render.py": "note _end print_json",
    "doctor.py": "line",
    "tables.py": "print_table _print_folded",
    "terminal.py": "_send _show",
}
"""Which functions write to the terminal; all others go through these."""


class Terminal(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return cast(io.BytesIO, self.buffer).getvalue().decode()


@contextmanager
def on_a_terminal() -> Iterator[Terminal]:
    """Have all that is written in the block go to one terminal."""
    found = Terminal()
    with redirect_stdout(found), redirect_stderr(found):
        yield found


def test_lines_facts_and_errors_are_shown_without_orders() -> None:
    with on_a_terminal() as terminal:
        context.put(f"put {EVIL}")
        context.say(f"say {EVIL}")
        print_facts({"name": EVIL})
        main._failed(LinacreError(f"error {EVIL}"))  # pyright: ignore[reportPrivateUsage]
        HumanStream(terminal).write({"event": EVIL})
    lines = terminal.text.splitlines()
    assert lines[:4] == [
        f"put {SHOWN}",
        f"say {SHOWN}",
        f"name  {SHOWN}",
        f"linacre: error {SHOWN}",
    ]
    assert lines[4].endswith(SHOWN)


def test_progress_is_shown_without_orders() -> None:
    out = io.StringIO()
    progress = UpProgress(console=Console(file=out, width=200))
    progress.note(f"note {EVIL}")
    progress.started("a", f"title {EVIL}")
    progress.failed("a", f"error {EVIL}")
    assert "\x1b" not in out.getvalue() and "\x9b" not in out.getvalue()
    assert out.getvalue().count(SHOWN) == 3


def test_json_has_escapes_for_what_json_leaves() -> None:
    with on_a_terminal() as terminal:
        print_json({"said": EVIL + "\x7f"})
    assert json.loads(terminal.text) == {"said": EVIL + "\x7f"}
    assert terminal.text.replace("\n", "").isprintable()


def test_off_a_terminal_the_result_is_as_it_was_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    context.put("a\u202eb\x9bc\r")
    context.say("a\u202eb")
    assert capsys.readouterr() == ("a\u202eb\x9bc\r\n", "a<U+202E>b\n")


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_a_log_is_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    data += b"\x1b[31mred\x1b[2J\xe7\xa3\x81\xe7\x9f\xb3\n"
    whole, cut = LogText(), LogText()
    parts: list[str] = []
    at = 0
    for end in sorted(cuts):
        parts.append(cut.take(data[at:end]))
        at = max(at, end)
    parts.append(cut.take(data[at:]))
    assert "".join(parts) == whole.take(data)


def test_a_line_without_end_is_shown_in_pieces() -> None:
    text = LogText()
    assert len(text.take(b"x" * (1 << 17))) > 1 << 16
    assert text.rest() == b""


class Machine:
    """A machine whose log says this."""

    def __init__(self, log: bytes) -> None:
        self.log = log
        self.argv: Sequence[str] = ()

    async def exec(self, machine: str, argv: Sequence[str], *, output: Output) -> Completed:
        self.argv = argv
        for at in range(0, len(self.log), 3):
            output(1, self.log[at : at + 3])
        return Completed(0, b"", b"")


async def test_a_log_keeps_its_colours_on_a_terminal_and_nothing_else() -> None:
    machine = Machine(f"\x1b[32mok\x1b[0m {EVIL}\r\nepics> ".encode())
    path = PurePosixPath("/srv/log/ioc.log")
    with on_a_terminal() as terminal:
        status = await print_log(cast(Engine, machine), "mag", path, lines=5, follow=True)
    assert status == 0
    assert terminal.text == f"\x1b[32mok\x1b[0m {SHOWN}\nepics> \n"
    assert machine.argv == ["tail", "-n", "5", "-F", "/srv/log/ioc.log"]


async def test_a_log_is_itself_in_a_pipe(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    log = f"{EVIL}\r\nepics> ".encode() + b"\xff"
    path = PurePosixPath("/srv/log/ioc.log")
    await print_log(cast(Engine, Machine(log)), "mag", path, lines=5, follow=False)
    assert capfdbinary.readouterr().out == log


def _writes(call: ast.Call) -> bool:
    said = ast.unparse(call.func)
    return said in ("print", "typer.echo", "typer.secho", "typer.confirm", "click.echo") or (
        said.endswith((".write", ".print"))
    )


def test_no_command_writes_by_itself() -> None:
    folder = Path(cli.__file__).parent
    found: dict[str, set[str]] = {}
    for file in sorted(folder.glob("*.py")):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                inner = {
                    id(call)
                    for each in ast.walk(function)
                    if each is not function and isinstance(each, ast.FunctionDef)
                    for call in ast.walk(each)
                }
                calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
                if any(_writes(call) for call in calls if id(call) not in inner):
                    found.setdefault(file.name, set()).add(function.name)
    assert found == {name: {*listed.split()} for name, listed in WRITERS.items()}
