"""Stand-ins for EPICS's own tools: `python -m linacre.epics.tools caget X`, and so on.

For a desk that has none. They do the simple cases as the real ones do: names, values, time-out,
terse output, and exit status 1 where something was not found or refused.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

NAME_WIDTH = 30
ECA_TIMEOUT = 80


def main(argv: Sequence[str]) -> int:
    """Run one tool; returns its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    puts = arguments.tool.endswith("put")
    if puts and len(arguments.names) < 2:
        parser.error(f"{arguments.tool} needs a PV name and a value")
    try:
        if arguments.tool.startswith("ca"):
            return asyncio.run(_channel_access(arguments))
        return _pv_access(arguments)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="linacre.epics.tools", description=__doc__)
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    for prefix in ("ca", "pv"):
        for action, text in (
            ("get", "print values"),
            ("put", "write a value: NAME VALUE, or NAME VALUE... for an array"),
            ("monitor", "print values as they change, until interrupted"),
        ):
            tool = tools.add_parser(prefix + action, help=text)
            tool.add_argument("names", nargs="+", metavar="NAME")
            tool.add_argument("-w", dest="timeout_s", type=float, default=1.0, metavar="SECONDS")
            tool.add_argument("-t", dest="terse", action="store_true", help="values only")
            tool.add_argument("-n", dest="numeric", action="store_true", help="enums as numbers")
            tool.add_argument("-c", dest="wait", action="store_true", help="wait for completion")
    return parser


def _line(arguments: argparse.Namespace, name: str, value: str, *, stamp: float | None) -> str:
    if arguments.terse:
        return value
    when = ""
    if stamp is not None:
        when = f"{datetime.fromtimestamp(stamp):%Y-%m-%d %H:%M:%S.%f} "
    return f"{name:<{NAME_WIDTH}} {when}{value}"


def _say(text: str) -> None:
    print(text, flush=True)


def _words(value: Any) -> str:
    """Return a value as the tools print it: an array begins with its length."""
    if hasattr(value, "__len__") and not isinstance(value, str):
        return " ".join([str(len(value)), *(_words(element) for element in value)])
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _library(name: str) -> Any:
    """Import a client library, none of which has types, and only the one that is needed."""
    return import_module(name)


# Channel Access


def _ca_line(arguments: argparse.Namespace, value: Any, *, stamp: float | None) -> str:
    text = _ca_words(value, numeric=arguments.numeric)
    return _line(arguments, value.name, text, stamp=stamp)


def _ca_words(value: Any, *, numeric: bool) -> str:
    choices = getattr(value, "enums", None)
    if choices is not None and not numeric and not hasattr(value, "__len__"):
        index = int(value)
        return str(choices[index]) if index < len(choices) else str(index)
    return _words(value)


async def _channel_access(arguments: argparse.Namespace) -> int:
    aioca = _library("aioca")
    if arguments.tool == "caput":
        return await _caput(aioca, arguments)
    read: dict[str, Any] = {"format": aioca.FORMAT_CTRL, "timeout": arguments.timeout_s}
    values = await aioca.caget(arguments.names, throw=False, **read)
    found = {value.name: value for value in values if value.ok}
    for value in values:
        if not value.ok:
            _complain(value.name)
        elif arguments.tool == "caget":
            _say(_ca_line(arguments, value, stamp=None))
    if arguments.tool == "camonitor" and found:
        await _camonitor(aioca, arguments, found)
    return int(len(found) < len(set(arguments.names)))


async def _camonitor(aioca: Any, arguments: argparse.Namespace, first: dict[str, Any]) -> None:
    def show(value: Any, _index: int) -> None:
        if not value.ok:
            _say(_line(arguments, value.name, "*** disconnected", stamp=None))
            return
        # Only the first reading, with all its properties, knows the choices of an enum.
        value.enums = getattr(first[value.name], "enums", None)
        _say(_ca_line(arguments, value, stamp=value.timestamp))

    aioca.camonitor(list(first), show, format=aioca.FORMAT_TIME, notify_disconnect=True)
    await asyncio.Event().wait()


async def _caput(aioca: Any, arguments: argparse.Namespace) -> int:
    name, words = arguments.names[0], arguments.names[1:]
    time: dict[str, Any] = {"timeout": arguments.timeout_s}
    read: dict[str, Any] = {"format": aioca.FORMAT_CTRL, "throw": False, **time}
    old = await aioca.caget(name, **read)
    if not old.ok:
        return _complain(name)
    value: Any = words[0] if len(words) == 1 else words
    if hasattr(old, "enums"):
        value = _choice(words[0], list(old.enums))
    # Waiting, for only then does a server say that it refuses; a slow record may finish later.
    done = await aioca.caput(name, value, wait=True, throw=False, **time)
    if not done.ok and (arguments.wait or done.errorcode != ECA_TIMEOUT):
        print(f"{name}: write refused: {done}", file=sys.stderr)
        return 1
    new = await aioca.caget(name, **read)
    if not new.ok:
        return _complain(name)
    if not arguments.terse:
        _say(f"Old : {name:<{NAME_WIDTH}} {_ca_words(old, numeric=arguments.numeric)}")
    prefix = "" if arguments.terse else f"New : {name:<{NAME_WIDTH}} "
    _say(f"{prefix}{_ca_words(new, numeric=arguments.numeric)}")
    return 0


def _choice(word: str, choices: list[str]) -> int | str:
    return int(word) if word not in choices and word.isdecimal() else word


def _complain(name: str) -> int:
    print(f"Channel connect timed out: '{name}' not found.", file=sys.stderr)
    return 1


# pvAccess


def _pv_access(arguments: argparse.Namespace) -> int:
    with _library("p4p.client.thread").Context("pva", nt=False) as context:
        if arguments.tool == "pvput":
            return _pvput(context, arguments)
        if arguments.tool == "pvmonitor":
            return _pvmonitor(context, arguments)
        missing = 0
        values = context.get(arguments.names, timeout=arguments.timeout_s, throw=False)
        for name, value in zip(arguments.names, values, strict=True):
            if isinstance(value, Exception):
                missing = _pv_complain(name, value)
            else:
                _say(_pv_line(arguments, name, value))
        return missing


def _pv_line(arguments: argparse.Namespace, name: str, value: Any) -> str:
    if "value" not in value:
        return f"{name}\n{value}"
    stamp = None
    if "timeStamp" in value and not arguments.terse:
        at = value.timeStamp
        stamp = at.secondsPastEpoch + at.nanoseconds * 1e-9
    return _line(arguments, name, _pv_words(value, numeric=arguments.numeric), stamp=stamp)


def _pv_words(value: Any, *, numeric: bool) -> str:
    inner = value.value
    if hasattr(inner, "keys") and "choices" in inner:
        at = inner.index
        return str(at) if numeric or at >= len(inner.choices) else f"({at}) {inner.choices[at]}"
    return _words(inner)


def _pvput(context: Any, arguments: argparse.Namespace) -> int:
    name, words = arguments.names[0], arguments.names[1:]
    value: Any = words[0] if len(words) == 1 else words
    try:
        old = context.get(name, timeout=arguments.timeout_s)
        if "value" in old and hasattr(old.value, "keys") and "choices" in old.value:
            choices = list(old.value.choices)
            word = words[0]
            value = {"value.index": choices.index(word) if word in choices else int(word)}
        context.put(name, value, timeout=arguments.timeout_s, wait=True)
        new = context.get(name, timeout=arguments.timeout_s)
    except Exception as error:  # the library raises many kinds, the server's refusal among them
        return _pv_complain(name, error)
    if not arguments.terse:
        _say(f"Old : {_pv_line(arguments, name, old)}")
    _say(("" if arguments.terse else "New : ") + _pv_line(arguments, name, new))
    return 0


def _pvmonitor(context: Any, arguments: argparse.Namespace) -> int:

    def shower(name: str) -> Any:
        seen = False

        def show(value: Any) -> None:
            nonlocal seen
            was_seen, seen = seen, True
            if isinstance(value, Exception) and not was_seen:
                return  # every subscription begins by saying that it is not yet connected
            if isinstance(value, Exception):
                _say(f"{name} *** {type(value).__name__.lower()}")
            else:
                _say(_pv_line(arguments, name, value))

        return show

    # Held, or they end.
    subscriptions = [
        context.monitor(name, shower(name), notify_disconnect=True) for name in arguments.names
    ]
    threading.Event().wait()
    for subscription in subscriptions:
        subscription.close()
    return 0


def _pv_complain(name: str, error: Exception) -> int:
    why = "Timeout" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    print(f"{name} {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
