"""procServ's command line: how an IOC was run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_WITH_VALUE = {
    "--allow": False,
    "--autorestartcmd": True,
    "--chdir": True,
    "--coresize": True,
    "--debug": False,
    "--env": True,
    "--exec": True,
    "--foreground": False,
    "--help": False,
    "--holdoff": True,
    "--ignore": True,
    "--info-file": True,
    "--killcmd": True,
    "--killsig": True,
    "--logfile": True,
    "--logoutcmd": True,
    "--logport": True,
    "--logstamp": False,
    "--name": True,
    "--noautorestart": False,
    "--oneshot": False,
    "--pidfile": True,
    "--port": True,
    "--quiet": False,
    "--restrict": False,
    "--shutdowncmd": True,
    "--timefmt": True,
    "--toggle": True,
    "--version": False,
    "--wait": False,
}
_SHORT = {
    "-c": "--chdir",
    "-d": "--debug",
    "-e": "--exec",
    "-f": "--foreground",
    "-h": "--help",
    "-i": "--ignore",
    "-I": "--info-file",
    "-k": "--killcmd",
    "-l": "--logport",
    "-L": "--logfile",
    "-n": "--name",
    "-o": "--oneshot",
    "-p": "--pidfile",
    "-P": "--port",
    "-q": "--quiet",
    "-V": "--version",
    "-w": "--wait",
    "-x": "--logoutcmd",
}


@dataclass
class Run:
    """How an IOC was run on its server: by procServ, as far as it is known."""

    origin: str = ""
    """The file that says so."""
    command: tuple[str, ...] = ()
    """The program and its arguments, st.cmd among them."""
    folder: str | None = None
    """Where it was started."""
    hold_off_s: int | None = None
    environment: dict[str, str] = field(default_factory=dict[str, str])
    name: str | None = None
    user: str | None = None
    notes: list[str] = field(default_factory=list[str])
    """What is different from now on, or was not understood."""

    def note(self, line: str) -> None:
        """Add a note, once."""
        if line not in self.notes:
            self.notes.append(line)


def is_procserv(word: str) -> bool:
    """Tell whether a word of a command line is procServ."""
    return PurePosixPath(word).name.lower() in ("procserv", "procserv.bin")


def read_options(argv: Sequence[str], run: Run) -> None:
    """Take over the options of a procServ command line, without its own name, into `run`."""
    words = [*argv]
    given: list[tuple[str, str]] = []
    while words and words[0].startswith("-") and words[0] != "-":
        if words[0] == "--":
            words.pop(0)
            break
        given += _option(words, run)
    names = {option for option, _ in given}
    if "--port" not in names and words and re.fullmatch(r"(\S*:)?\d+|unix:\S+", words[0]):
        given.append(("--port", words.pop(0)))
    for option, value in given:
        _take(option, value, run)
    program = [value for option, value in given if option == "--exec"]
    run.command = tuple([program[0], *words[1:]] if program and words else program or words)


def _option(words: list[str], run: Run) -> Iterator[tuple[str, str]]:
    word = words.pop(0)
    option, equals, value = word.partition("=")
    if not word.startswith("--"):
        option, value = _SHORT.get(word[:2], word[:2]), word[2:].removeprefix("=")
        equals = value
        if value and not _WITH_VALUE.get(option, True):
            # Several short ones in a word.
            words.insert(0, f"-{value}")
            equals = value = ""
    whole = [known for known in _WITH_VALUE if known.startswith(option)]
    if option not in _WITH_VALUE and len(whole) == 1:
        option = whole[0]
    if option not in _WITH_VALUE:
        run.note(f"procServ's option {word} is not known here; it is left out")
        return
    if _WITH_VALUE[option] and not equals:
        value = words.pop(0) if words else ""
    yield option, value


def _take(option: str, value: str, run: Run) -> None:
    match option:
        case "--chdir":
            run.folder = value
        case "--holdoff":
            if re.fullmatch(r"\d+", value):
                run.hold_off_s = max(1, int(value))
        case "--name":
            run.name = value
        case "--env":
            key, equals, text = value.partition("=")
            if equals:
                run.environment[key] = text
        case "--port":
            run.note(
                f"procServ's port was {value}; it is 7001 on the IOC's own address, and "
                "linacre ioc console needs none"
            )
        case "--logfile" | "--logport" | "--logstamp" | "--timefmt":
            if option in ("--logfile", "--logport"):
                what = "log" if option == "--logfile" else "log port"
                run.note(f"procServ's {what} was {value}; linacre ioc log shows the log, rotated")
        case "--noautorestart" | "--oneshot" | "--wait":
            run.note(f"procServ had {option}: here an IOC is started at once, and again if it ends")
        case "--coresize":
            run.note(f"procServ's core size ({value}) is not taken over")
        case "--allow" | "--restrict":
            run.note(f"procServ had {option}: here its port is reached on the facility's network")
        case (
            "--ignore"
            | "--killsig"
            | "--info-file"
            | "--killcmd"
            | "--autorestartcmd"
            | ("--logoutcmd")
            | "--shutdowncmd"
            | "--toggle"
        ):
            run.note(f"procServ's {option} {value} is not taken over")
        case _:
            pass
