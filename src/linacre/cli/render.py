"""What commands show: tables, JSON, and the progress of work with many steps."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TextIO, cast

from linacre.base.orders import escaped_in_json, without_orders
from linacre.base.sizes import readable
from linacre.cli.context import put
from linacre.cli.tables import Styled
from linacre.cli.tables import print_table as print_table

if TYPE_CHECKING:
    # Loaded only where it draws: a command that prints JSON has no use for it.
    from rich.console import Console, RenderableType
    from rich.live import Live

    from linacre.kinds.rows import Column

RUNNING_SHOWN = 12
REFRESHES_PER_S = 8

STYLES: Mapping[str, str] = {
    "running": "cyan",
    "done": "green",
    "failed": "bold red",
    "interrupted": "yellow",
    "pending": "dim",
}
"""Colours of the states of tasks and steps."""


def print_json(data: object, *, stream: TextIO | None = None) -> None:
    """Print data as JSON; dataclasses are objects, and what JSON does not know is text."""
    out = stream or sys.stdout
    text = json.dumps(data, indent=2, default=_plain, ensure_ascii=False)
    out.write(escaped_in_json(text) + "\n")


def print_rows(columns: Sequence[Column[Any]], rows: Sequence[Any]) -> None:
    """Print rows of `status` by their kind's columns, the first of each green or red."""
    table: list[list[str]] = []
    for row in rows:
        name, *more = (fact(column.key, column.value(row)) for column in columns)
        table.append([Styled(name, "green" if row.green else "bold red"), *more])
    print_table([column.title for column in columns], table)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print what is known of one thing, a line each, without its names' units."""
    shown = {_label(name): fact(name, value) for name, value in facts.items()}
    width = max(map(len, shown), default=0)
    for label, text in shown.items():
        put(f"{label:<{width}}  {text}")


def fact(name: str, value: object) -> str:
    """Return a value as people read it; its name tells its unit, as `uptime_s` does."""
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return " ".join(str(one) for one in cast("Sequence[object]", value)) or "-"
        case int() | float() if name.endswith("_at"):
            return local_time(value)
        case int() | float() if name.endswith("_s"):
            return duration(value)
        case int() | float() if name.endswith("_hz"):
            return f"{value:.3g}/s"
        case int() if name.endswith("bytes"):
            return readable(value)
        case _:
            return str(value)


def _label(name: str) -> str:
    for unit in ("_s", "_hz", "_bytes"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def state_text(state: str) -> Styled:
    """Return a state in its colour."""
    return Styled(state, STYLES.get(state, ""))


def local_time(at: float | None) -> str:
    """Return seconds since the Unix epoch as local date and time; nothing for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}"


def iso_time(at: float | None) -> str | None:
    """Return seconds since the Unix epoch as UTC for JSON."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def duration(seconds: float) -> str:
    """Return a length of time as people say it: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min, 3 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24} h"


@dataclass(frozen=True)
class _Running:
    title: str
    since: float


class UpProgress:
    """Shows the steps of a command as they go, on stderr.

    On a terminal: the running steps with their time, below a line for each that ended. Elsewhere:
    one plain line for each step that ended.
    """

    def __init__(
        self,
        *,
        total: int = 0,
        console: Console | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True)
        self._monotonic = monotonic
        self._total = total
        self._ended = 0
        self._running: dict[str, _Running] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to show progress."""
        from rich.live import Live

        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                refresh_per_second=REFRESHES_PER_S,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what is live; the lines stay."""
        if self._live:
            self._live.stop()
            self._live = None

    def expect(self, total: int) -> None:
        """Say how many steps there are to be."""
        self._total = total

    def started(self, key: str, title: str) -> None:
        """Show a step as running."""
        self._running[key] = _Running(without_orders(title), self._monotonic())

    def done(self, key: str) -> None:
        """Show a step as done."""
        self._end(key, "done", "green", None)

    def failed(self, key: str, error: str) -> None:
        """Show a step as failed, and why."""
        self._end(key, "failed", "bold red", error)

    def note(self, line: str) -> None:
        """Show a line of its own."""
        from rich.text import Text

        self._console.print(Text(without_orders(line)), soft_wrap=True)

    def _end(self, key: str, state: str, style: str, error: str | None) -> None:
        from rich.text import Text

        step = self._running.pop(key, _Running(key, self._monotonic()))
        self._ended += 1
        took = duration(self._monotonic() - step.since)
        line = Text.assemble((f"{state:<6} ", style), step.title, (f"  {took}", "dim"))
        if error:
            line.append(f": {without_orders(error)}")
        self._console.print(line, soft_wrap=True)

    def _picture(self) -> RenderableType:
        from rich.text import Text

        now = self._monotonic()
        lines = [
            Text.assemble(
                ("  ... ", "cyan"), step.title, (f"  {duration(now - step.since)}", "dim")
            )
            for step in list(self._running.values())[:RUNNING_SHOWN]
        ]
        if (more := len(self._running) - RUNNING_SHOWN) > 0:
            lines.append(Text(f"  ... and {more} more", style="dim"))
        count = f"{self._ended} of {self._total}" if self._total else str(self._ended)
        lines.append(Text(f"{count} steps", style="bold"))
        return Text("\n").join(lines)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, cast("set[object]", value)))
    return str(value)
