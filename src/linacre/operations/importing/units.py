"""Files that say how an IOC was run: systemd units, start scripts, KEY=VALUE files, procs' conf."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from linacre.base.enclosed import UnsafeNameError
from linacre.base.errors import UserError
from linacre.operations.importing.options import Run, is_procserv, read_options
from linacre.operations.importing.reading import text_of

_ADVICE = "name the unit, start script or settings that run the IOC under procServ"
_MANAGED = {"PORT", "USER", "EXEC", "CHDIR", "PROCSERV_ARGS", "NAME", "HOST", "CORESIZE", "INST"}
"""Keys of the `config` of an IOC of sysv-rc-softioc and manage-iocs."""
_LIMITS = re.compile(r"(Limit\w+|CPU\w+|Memory\w+|Nice|IOScheduling\w+|Slice|TasksMax)$")


def read_text(path: Path, *, beside: Path | None = None) -> str:
    """Return the text of a file; `UserError` where it cannot be read.

    `beside` is the file that names it, where it was not given by who imports.
    """
    try:
        return text_of(path, given=(beside or path).parent)
    except UnsafeNameError as error:
        raise UserError(
            f"{error}; write the path of a file that says how the IOC was run"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; write the path of one that is there") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(f"{path} cannot be read: {reason}; run this as one who may") from None


def read_unit(path: Path, *, instance: str) -> Run:
    """Return how a systemd unit runs an IOC; %i is `instance` where the unit's name has none."""
    run = Run(origin=str(path))
    match = re.fullmatch(r"[^@]+@(.+)\.service", path.name)
    specifiers = {"%i": match[1] if match else instance, "%I": match[1] if match else instance}
    specifiers |= {"%n": path.name, "%N": path.stem, "%p": path.stem.partition("@")[0], "%%": "%"}
    service = _section(read_text(path), "Service")
    argv: list[str] = []
    for key, raw in service:
        value = re.sub(r"%.", lambda found: specifiers.get(found[0], found[0]), raw)
        match key:
            case "Environment":
                run.environment |= dict(w.split("=", 1) for w in _words(value) if "=" in w)
            case "EnvironmentFile":
                _environment_file(value, path, run)
            case "User":
                run.user = value
            case "WorkingDirectory":
                run.folder = value.lstrip("-~") or None
            case "ExecStart":
                argv = _words(value.lstrip("-@:+!")) or argv
            case "ExecStartPre" | "ExecStartPost" | "ExecStop":
                run.note(f"{key}={value} of the unit is not taken over")
            case _ if _LIMITS.match(key):
                run.note(f"{key}={value} of the unit is not taken over; see limits")
            case _:
                pass
    argv = [word for each in argv for word in _expanded(each, run.environment)]
    at = next((n for n, word in enumerate(argv) if is_procserv(word)), None)
    if at is None:
        what = f"it runs {argv[0]}" if argv else "it has no ExecStart"
        raise UserError(f"{path} does not run procServ ({what}); {_ADVICE}")
    read_options(argv[at + 1 :], run)
    return run


def _section(text: str, wanted: str) -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", " ", text)
    found: list[tuple[str, str]] = []
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif section == wanted and line[:1] not in ("#", ";", "") and "=" in line:
            key, _, value = line.partition("=")
            found.append((key.strip(), value.strip()))
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _expanded(word: str, variables: Mapping[str, str]) -> list[str]:
    """Return the words that $NAME and ${NAME} bring: a whole $NAME is several."""
    if (whole := re.fullmatch(r"\$(\w+)", word)) and whole[1] in variables:
        return _words(variables[whole[1]])
    return [_with_variables(word, variables)]


def _with_variables(text: str, variables: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        name, default = found[1] or found[3], found[2]
        if default is not None and not variables.get(name):
            return default
        return variables.get(name, found[0])

    return re.sub(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))", value, text)


def _environment_file(value: str, unit: Path, run: Run) -> None:
    path = Path(value.lstrip("-"))
    try:
        run.environment |= read_environment(path, beside=unit)
    except UserError:
        if value.startswith("-") and not path.exists():
            return
        run.note(f"the unit's EnvironmentFile {path} cannot be read here: give it by --environment")


def read_environment(path: Path, *, beside: Path | None = None) -> dict[str, str]:
    """Return the variables of a KEY=VALUE file; `export` may stand before a line."""
    found: dict[str, str] = {}
    for raw in read_text(path, beside=beside).splitlines():
        line = raw.strip().removeprefix("export ").strip()
        if match := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", line):
            words = _words(match[2])
            text = words[0] if len(words) == 1 or (match[2][:1] in "\"'" and words) else match[2]
            single = match[2].startswith("'")
            found[match[1]] = text if single else _with_variables(text, found)
    return found


def read_procserv(path: Path, *, instance: str) -> Run:
    """Return how an IOC was run from a file of any of the kinds that are known.

    A systemd unit, a manage-procs `.conf`, a KEY=VALUE file, or a script or text with a procServ
    command line. Raises `UserError` where it is none of them.
    """
    text = read_text(path)
    if re.search(r"^\s*\[Service\]", text, re.MULTILINE):
        return read_unit(path, instance=instance)
    if re.search(r"^\s*\[[^\]]+\]\s*$", text, re.MULTILINE) and re.search(
        r"^\s*command\s*[=:]", text, re.MULTILINE
    ):
        return _managed(path, text, instance)
    if (run := _script(path, text)) is not None:
        return run
    variables = read_environment(path)
    if _MANAGED & variables.keys():
        return _settings(path, variables)
    raise UserError(f"{path} has no procServ command line; {_ADVICE}")


def _managed(path: Path, text: str, instance: str) -> Run:
    """Return what a `.conf` of procServUtils (manage-procs) says."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        said = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read as manage-procs' settings: {said}") from None
    sections = [name for name in parser.sections() if parser.has_option(name, "command")]
    if len(sections) > 1 and instance in sections:
        sections = [instance]
    if len(sections) != 1:
        raise UserError(f"{path} has several IOCs ({', '.join(sections)}); give --name one of them")
    section = parser[sections[0]]
    run = Run(origin=str(path), name=sections[0], folder=section.get("chdir"))
    run.user = section.get("user")
    run.command = tuple(_words(section["command"]))
    if port := section.get("port"):
        run.note(f"procServ's port was {port}; it is 7001 on the IOC's own address")
    return run


def _script(path: Path, text: str) -> Run | None:
    """Return what a script or a text with a procServ command line says."""
    run = Run(origin=str(path))
    variables: dict[str, str] = {}
    for raw in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        words = _words(_with_variables(line, variables))
        at = next((n for n, word in enumerate(words) if is_procserv(word)), None)
        if at is not None:
            leading = [word for word in words[:at] if re.match(r"[A-Za-z_]\w*=", word)]
            run.environment |= dict(word.split("=", 1) for word in leading)
            end = next(
                (n for n, w in enumerate(words) if n > at and w in ("&", "&&", ";", "||", "|")),
                len(words),
            )
            read_options(words[at + 1 : end], run)
            return run
        _shell_line(line, words, variables, run)
    return None


def _shell_line(line: str, words: list[str], variables: dict[str, str], run: Run) -> None:
    exported = bool(words) and words[0] == "export"
    for word in words[1:] if exported else words[:1]:
        name, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[A-Za-z_]\w*", name):
            variables[name] = value
            if exported:
                run.environment[name] = value
        elif exported and name in variables:
            run.environment[name] = variables[name]
    if len(words) > 1 and words[0] == "cd":
        run.folder = words[1]


def _settings(path: Path, variables: dict[str, str]) -> Run:
    """Return what the KEY=VALUE settings of an IOC say."""
    run = Run(origin=str(path), name=variables.get("NAME"), folder=variables.get("CHDIR"))
    run.user = variables.get("USER")
    run.environment = {k: v for k, v in variables.items() if k not in _MANAGED}
    read_options(_words(variables.get("PROCSERV_ARGS", "")), run)
    if command := variables.get("EXEC"):
        run.command = tuple(_words(command))
    if port := variables.get("PORT"):
        run.note(f"procServ's port was {port}; it is 7001 on the IOC's own address")
    return run
