"""Commands that all kinds but IOCs have alike: list, show, start, stop, console, shell, log."""

# Not `from __future__ import annotations`: typer reads annotations that name local variables.
from typing import TYPE_CHECKING, Annotated, Any

import typer

from linacre.cli.context import FileOption, JsonOption, run, say, session_of

if TYPE_CHECKING:
    from linacre.kinds.kind import AnyKind
    from linacre.session.session import Session


def add_to(app: typer.Typer, noun: str) -> None:
    """Put the commands under `linacre NOUN`, a kind of machines: `service` or `archiver`."""
    name_argument = typer.Argument(metavar="NAME", help=f"The {noun}.")

    def start(name: Annotated[str, name_argument], file: FileOption = None) -> None:
        _act(noun, "start", name, file)

    def stop(name: Annotated[str, name_argument], file: FileOption = None) -> None:
        _act(noun, "stop", name, file)

    def restart(name: Annotated[str, name_argument], file: FileOption = None) -> None:
        _act(noun, "restart", name, file)

    def console(name: Annotated[str, name_argument], file: FileOption = None) -> None:
        _console(noun, name, file)

    def shell(name: Annotated[str, name_argument], file: FileOption = None) -> None:
        _shell(noun, name, file)

    def log(
        name: Annotated[str, name_argument],
        file: FileOption = None,
        lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
        follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    ) -> None:
        _log(noun, name, file, lines=lines, follow=follow)

    article = "an" if noun[0] in "aeiou" else "a"
    helps = {
        start: f"Start {article} {noun}'s machine, and wait until the {noun} serves.",
        stop: f"Stop {article} {noun} and its machine; `up` starts it again.",
        restart: f"Restart {article} {noun} and its procServ; its machine goes on.",
        console: "Join the command's terminal, also when the machine's network is broken; "
        "Ctrl-] leaves.",
        shell: f"Open a shell in {article} {noun}'s machine, also when SSH or its network is "
        "broken.",
        log: f"Print the end of {article} {noun}'s log: what its command printed.",
    }
    for command, text in helps.items():
        app.command(help=text)(command)


def app_of(noun: str) -> typer.Typer:
    """Return the commands of a kind of machine that has none of its own: what all kinds have."""
    app = typer.Typer(no_args_is_help=True, help=f"One {noun} at a time.")

    def list_them(file: FileOption = None, as_json: JsonOption = False) -> None:
        _list(noun, file, as_json=as_json)

    def show(
        name: Annotated[str, typer.Argument(metavar="NAME", help=f"The {noun}.")],
        file: FileOption = None,
        as_json: JsonOption = False,
    ) -> None:
        _show(noun, name, file, as_json=as_json)

    app.command("list", help=f"List what is declared of the kind {noun}.")(list_them)
    app.command(help="Show all that is known of one: where it is declared, how it does.")(show)
    add_to(app, noun)
    return app


def command_of(noun: str) -> Any:
    """Return the command of a noun that is a kind of machine's name; None for any other."""
    from typer.main import get_command

    from linacre.kinds import registry

    known = any(kind.name == noun for kind, _ in registry.KINDS.declared)
    return get_command(app_of(noun)) if known else None


def _list(noun: str, file: FileOption, *, as_json: bool) -> None:
    from linacre.cli.render import print_json, print_table

    columns = ["name", "address", "network", "area", "owner", "description"]

    async def work() -> list[dict[str, str]]:
        session = await session_of(file)
        declared = _kind(session, noun).declared(session.declaration.facility)
        return [
            {"name": name} | {key: str(getattr(item, key) or "") for key in columns[1:]}
            for name, item in declared.items()
        ]

    rows = run(work())
    if as_json:
        print_json(rows)
    else:
        print_table([c.upper() for c in columns], [[row[c] for c in columns] for row in rows])


def _show(noun: str, name: str, file: FileOption, *, as_json: bool) -> None:
    from dataclasses import asdict

    from linacre.cli.render import print_facts, print_json
    from linacre.observing.status import facility_status
    from linacre.operations.services import declared_program

    async def work() -> dict[str, Any]:
        session = await session_of(file)
        kind = _kind(session, noun)
        declared_program(session, name, kind)
        row = (await facility_status(session, (name,))).row(kind, name)
        key = "" if kind.section is None else kind.section.key
        return asdict(row) | {"declared": session.declaration.where(key, name)}

    whole = run(work())
    if as_json:
        print_json(whole)
    else:
        print_facts(whole)


def _kind(session: "Session", noun: str) -> "AnyKind":
    from linacre.kinds.registry import kinds_of

    return kinds_of(session).named(noun)


def _act(noun: str, verb: str, name: str, file: FileOption) -> None:
    from linacre.operations.iocs.acting import Verb
    from linacre.operations.services import act_on_service

    async def work() -> bool:
        session = await session_of(file)
        return await act_on_service(session, Verb(verb), name, kind=_kind(session, noun))

    done = {"start": "started", "stop": "stopped", "restart": "restarted"}[verb]
    say(f"{name}: {done if run(work()) else f'was {done} already'}")


def _console(noun: str, name: str, file: FileOption) -> None:
    from linacre.cli.terminal import join, terminal_size
    from linacre.operations.services import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            await running_machine(session, name, kind=_kind(session, noun))
            if terminal_size() is not None:
                say(f"the console of {name}; Ctrl-] leaves")
            return await join(await engine.console(name), detach=True)

    raise typer.Exit(run(work()))


def _shell(noun: str, name: str, file: FileOption) -> None:
    from linacre.cli.desk import run_in
    from linacre.operations.services import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            await running_machine(session, name, kind=_kind(session, noun))
            return await run_in(engine, name, ["/bin/bash", "-l"])

    raise typer.Exit(run(work()))


def _log(noun: str, name: str, file: FileOption, *, lines: int, follow: bool) -> None:
    from linacre.cli.logs import print_log
    from linacre.epics.launch import LOG_NAME
    from linacre.operations.services import declared_program, running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            kind = _kind(session, noun)
            await running_machine(session, name, kind=kind)
            layout = engine.layout(name, declared_program(session, name, kind).address)
            path = layout.log / LOG_NAME
            return await print_log(engine, name, path, lines=lines, follow=follow)

    raise typer.Exit(run(work()))
