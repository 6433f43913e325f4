"""How costs grow with the number of machines: what `linacre bench scale` makes of its figures."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from common.report import Result, rounded

_TIMES = ("s", "without_own_start_s", "client_cpu_s", "daemon_cpu_s")


@dataclass(frozen=True)
class Batch:
    """Machines that one `up` has added to those that were there."""

    before: int
    after: int
    s: float


def sizes_of(text: str) -> tuple[int, ...]:
    """Return the sizes that `-n 15,50,100` says, smallest first."""
    words = text.split(",")
    if not all(word.isdecimal() and int(word) for word in words):
        raise ArgumentTypeError(f"{text} is not numbers with commas between, such as 15,50,100")
    return tuple(sorted({int(word) for word in words}))


def boundaries(sizes: Sequence[int], batch: int) -> list[int]:
    """Return how many machines there are after each `up`.

    No `up` adds more than `batch`, and there is one that begins and one that ends a batch before
    each size, so that the last batch of each can be told.
    """
    ends = {*sizes, *(size - batch for size in sizes if size > batch)}
    return sorted(ends | set(range(batch, max(sizes), batch)))


def first_and_last(batches: Iterable[Batch], *, size: int, batch: int) -> Result:
    """Return the seconds for the first `batch` machines, and for the last of `size`.

    Nothing where there are not twice as many.
    """
    if size < 2 * batch:
        return {}
    there = [each for each in batches if each.after <= size]
    first = sum(each.s for each in there if each.after <= batch)
    last = sum(each.s for each in there if each.before >= size - batch)
    return {
        f"first_{batch}_s": rounded(first),
        f"last_{batch}_s": rounded(last),
        "last_to_first": rounded(last / first),
    }


def growth(sizes: Mapping[str, Result]) -> Result:
    """Return how many times more each command costs from each size to the next larger one."""
    return {
        f"{small} to {large}": {
            command: ratios
            for command, costs in sizes[large].items()
            if (ratios := _ratios(sizes[small].get(command, {}), costs))
        }
        for small, large in pairwise(sizes)
    }


def _ratios(small: Result, large: Result) -> Result:
    return {
        key: rounded(large[key] / small[key])
        for key in _TIMES
        if key in large and small.get(key, 0) > 0
    }


def table(sizes: Mapping[str, Result]) -> str:
    """Return the figures for a person: a row for each command, a column for each size."""
    commands = list(dict.fromkeys(command for costs in sizes.values() for command in costs))
    rows = [["seconds (CPU of client + daemon)", *(f"n={size}" for size in sizes)]]
    for command in commands:
        rows.append([command, *(cell(costs.get(command, {})) for costs in sizes.values())])
    for title, key in (("up: the first", "first_"), ("up: the last", "last_")):
        found = [_batch(costs.get("up", {}), key) for costs in sizes.values()]
        if name := next((name for name, _ in found if name), None):
            rows.append([f"{title} {name}", *(text for _, text in found)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def cell(cost: Result) -> str:
    """Return a cost for a person: seconds, and the CPU seconds of client and daemon."""
    if "available_used_bytes" in cost:
        return f"{cost['available_used_bytes'] / 1e6:.0f} MB"
    if "s" not in cost:
        return "-"
    cpu = "+".join(f"{cost[key]:.2f}" for key in ("client_cpu_s", "daemon_cpu_s") if key in cost)
    return f"{cost['s']:.2f} ({cpu})"


def _batch(up: Result, prefix: str) -> tuple[str | None, str]:
    for key, value in up.items():
        number = key.removeprefix(prefix).removesuffix("_s")
        if key.startswith(prefix) and number.isdecimal():
            return number, f"{value:.2f}"
    return None, "-"
