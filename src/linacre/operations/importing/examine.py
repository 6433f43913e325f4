"""From the folder of an IOC on a server to what is understood of it; nothing of it is run."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import UnsafeNameError
from linacre.base.errors import UserError
from linacre.base.listing import counted, listed
from linacre.declaration.models.values import NAME_PATTERN
from linacre.kinds.ioc.python_packages import how_to_have
from linacre.operations.importing.commands import given_variables
from linacre.operations.importing.env_paths import laid_env_paths
from linacre.operations.importing.findings import Findings, Where
from linacre.operations.importing.libraries import IMAGE_GLIBC, Libraries, libraries_of
from linacre.operations.importing.locate import Found, locate
from linacre.operations.importing.options import Run
from linacre.operations.importing.places import Places
from linacre.operations.importing.program import Program, program_of
from linacre.operations.importing.python_modules import GONE, has_module
from linacre.operations.importing.python_script import read_python
from linacre.operations.importing.script import ScriptReader
from linacre.operations.importing.settle import settle
from linacre.operations.importing.support_modules import beyond_base, support_notes
from linacre.operations.importing.understood import Understood
from linacre.operations.importing.units import read_environment, read_procserv, read_unit
from linacre.operations.importing.widening import widened

_LONGEST_NAME = 58
_PERSIST = PurePosixPath("/srv/persist")


def examine(
    folder: Path,
    *,
    name: str | None = None,
    start: str | None = None,
    unit: Path | None = None,
    procserv: Path | None = None,
    environment: Path | None = None,
    engine: str,
) -> Understood:
    """Return what is understood of the IOC in a folder.

    `unit` is the systemd unit that ran it, `procserv` any other file that says how it was run,
    `environment` one with KEY=VALUE lines, and `engine` the name of the engine that it will run
    on. Raises `UserError` where there is no IOC, or one that cannot run here or be read.
    """
    try:
        return _examine(
            folder,
            name=name,
            start=start,
            unit=unit,
            procserv=procserv,
            environment=environment,
            engine=engine,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UserError(
            f"{error.filename or folder} cannot be read: {reason}; run this as one who may"
        ) from error
    except UnsafeNameError as error:
        raise UserError(f"{error}; take that out of the folder") from error


def _examine(
    folder: Path,
    *,
    name: str | None,
    start: str | None,
    unit: Path | None,
    procserv: Path | None,
    environment: Path | None,
    engine: str,
) -> Understood:
    run = Run()
    instance = name or folder.absolute().name
    if unit is not None:
        run = read_unit(unit, instance=instance)
    elif procserv is not None:
        run = read_procserv(procserv, instance=instance)
    if environment is not None:
        run.environment |= read_environment(environment)
    found = locate(folder, start=start, run=run)
    understood = _understand(folder, found, run, name=name, engine=engine)
    # What it reads beside its folder by relative names must be beside it in the machine too.
    wider = widened(found, understood.places, understood.findings.beside)
    return (
        understood if wider is None else _understand(folder, wider, run, name=name, engine=engine)
    )


def _understand(
    folder: Path, found: Found, run: Run, *, name: str | None, engine: str
) -> Understood:
    given = folder.absolute()
    laid, told = laid_env_paths(found, given=given)
    places = Places(found.tree, found.built or PurePosixPath(found.tree), given, laid)
    program = program_of(found, places, run)
    own_name = name or _name(found, run)
    libraries = Libraries()
    if program.file is not None:
        search = tuple(run.environment.get("LD_LIBRARY_PATH", "").split(":"))
        libraries = libraries_of(
            program.file,
            tree=found.home,
            present=places.present,
            more=search,
            on_host=engine == "process",
            given=given,
        )
    findings = _findings(found, places, program, run, own_name, engine=engine)
    declared, copies, settled = settle(
        found, places, run, program, libraries, findings, engine=engine
    )
    notes = [
        *run.notes,
        *program.notes,
        *told,
        *_about_libraries(libraries, engine),
        *findings.notes,
    ]
    notes += support_notes(program, findings, libraries, given=given, engine=engine)
    notes += [*settled, *_about_files(findings, program)]
    notes += [
        f"{path} is named by a relative path, and will not be there: write the folder that holds "
        "it and the IOC's, with --start"
        for path in findings.beside
    ]
    return Understood(
        name=own_name,
        given=given,
        found=found,
        places=places,
        run=run,
        program=program,
        libraries=libraries,
        findings=findings,
        declared=declared,
        copies=copies,
        notes=tuple(dict.fromkeys(notes)),
    )


def _name(found: Found, run: Run) -> str:
    """Return a name for the IOC: procServ's, else that of its iocBoot folder, else its folder's."""
    folder = found.start.parent.name if found.start.parent.name else found.tree.name
    for candidate in (run.name or "", folder, found.tree.name):
        mended = re.sub(r"[^a-z0-9-]+", "-", candidate.lower())
        mended = re.sub(r"^[^a-z]+", "", mended)[:_LONGEST_NAME].rstrip("-")
        if re.fullmatch(NAME_PATTERN, mended):
            return mended
    raise UserError(
        f"{found.tree} gives no name for the IOC; give it one by --name, such as s02-mag"
    )


def _findings(
    found: Found, places: Places, program: Program, run: Run, name: str, *, engine: str
) -> Findings:
    if program.kind == "python":
        return _python_findings(found, program, engine, given=places.given)
    variables = given_variables(name, program.folder, _PERSIST) | run.environment
    if (architecture := _architecture(program)) is not None:
        variables.setdefault("EPICS_HOST_ARCH", architecture)
    reader = ScriptReader(
        places, variables, folder=program.folder, softioc=program.kind == "softioc"
    )
    if program.laid is None:
        reader.run(places.built / program.start)
    else:
        reader.text(program.laid, name=str(found.start if program.stands_in else program.start))
    findings = reader.found
    if program.kind == "softioc" and findings.initialised and not findings.records:
        findings.note("no record is known that it would serve: see what is left out or not there")
    if program.stands_in and (beyond := beyond_base(findings)):
        more = f" and {len(beyond) - 3} more" if len(beyond) > 3 else ""
        raise UserError(
            f"{program.path} is a program for Windows, and softIoc cannot take its place: it does "
            f"not have {', '.join(beyond[:3])}{more}; build the application for Linux"
        )
    if not findings.initialised:
        lost = {each.what for each in findings.files if each.where is Where.MISSING}
        unless = ", unless a script that is not there has it" if "script" in lost else ""
        findings.note(f"{found.start} has no iocInit: the IOC will serve nothing{unless}")
    return findings


def _about_macros(findings: Findings) -> list[str]:
    """Return which lines are left out for lack of macros, those of the same lines together."""
    by_places: dict[tuple[str, ...], list[str]] = {}
    for name, places in findings.lacking.items():
        by_places.setdefault(tuple(places), []).append(f"$({name})")
    notes: list[str] = []
    for (first, *others), names in by_places.items():
        lines = f"{first} and {counted(len(others), 'more line')} are" if others else f"{first} is"
        notes.append(
            f"{lines} left out by the IOC shell, for nothing defines {listed(names, most=5)}"
        )
    if notes:
        notes.append(
            "what the server's environment defined: give it by --environment, or write it into the "
            "IOC's entry as environment"
        )
    return notes


def _python_findings(found: Found, program: Program, engine: str, *, given: Path) -> Findings:
    findings = Findings()
    script = found.tree / found.start
    read = read_python(script, has_module=partial(has_module, engine=engine), given=given)
    for place in read.broken:
        findings.note(f"{place}: not Python 3, with which it is run here")
    where = "in the image of IOC machines" if engine != "process" else "on this host"
    for module, file in read.missing.items():
        gone = "no longer Python's own" if module in GONE else "not Python's own"
        findings.note(
            f"{file} imports {module}, which is {gone}, and neither beside it nor {where} "
            "(softioc, caproto and p4p are): lay it beside the script with "
            f"{how_to_have(module, script.parent, engine=engine)}"
        )
    if read.arguments and not program.args:
        findings.arguments += read.arguments
        findings.note(
            f"{found.start} does not go on without its arguments ({', '.join(read.arguments)}): "
            "write them into its entry, as args"
        )
    return findings


def _architecture(program: Program) -> str | None:
    """Return EPICS's name of the architecture: the folder of bin that the program is in."""
    parts = program.path.parts
    return parts[-2] if len(parts) > 2 and parts[-3] == "bin" else None


def _about_libraries(libraries: Libraries, engine: str) -> list[str]:
    notes: list[str] = []
    if libraries.missing:
        notes.append(
            f"libraries that are not on this host: {', '.join(libraries.missing)}; put them into "
            "the application's lib folder before, or the IOC does not start"
        )
    limit, where = IMAGE_GLIBC, "the image of IOC machines"
    if engine == "process":
        limit, where = _host_glibc(), "this host, on which the process engine runs it,"
    if libraries.glibc > limit > ():
        notes.append(
            f"the program needs glibc {_dotted(libraries.glibc)} and {where} has "
            f"{_dotted(limit)}: it does not start there; "
            + (
                "use the incus engine"
                if libraries.glibc <= IMAGE_GLIBC
                else "build it on Debian 13"
            )
        )
    return notes


def _host_glibc() -> tuple[int, ...]:
    try:
        said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        said = ""
    match = re.search(r"(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


def _about_files(findings: Findings, program: Program) -> list[str]:
    notes = [
        f"{each.place}: the {each.what} {each.path} is not there"
        for each in findings.files
        if each.where is Where.MISSING
    ]
    notes += _about_macros(findings)
    if findings.macros:
        first = ", ".join(dict.fromkeys(findings.macros))
        notes.append(f"macros that nothing defines: {first}")
    if (
        program.kind == "binary"
        and program.file is not None
        and not os.access(program.file, os.X_OK)
    ):
        notes.append(f"{program.file} may not be run: chmod +x")
    return notes
