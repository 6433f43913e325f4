"""`linacre ioc`: one IOC at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import FileOption, JsonOption, put, run, say, session_of

if TYPE_CHECKING:
    from linacre.epics.report import ServedPv
    from linacre.kinds.ioc.kind import IocStatus

app = typer.Typer()
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The IOC.")]
TwinOption = Annotated[bool, typer.Option("--twin", help="Its twin, not the live one.")]


@app.command("list")
def list_iocs(file: FileOption = None, as_json: JsonOption = False) -> None:
    """List the declared IOCs."""
    from linacre.cli.render import print_json, print_table

    async def work() -> list[dict[str, str]]:
        session = await session_of(file)
        return [
            {
                "name": name,
                "kind": ioc.kind,
                "address": str(ioc.address),
                "network": ioc.network or "",
                "area": ioc.area,
                "owner": ioc.owner,
                "description": ioc.description,
            }
            for name, ioc in session.declaration.facility.iocs.items()
        ]

    rows = run(work())
    if as_json:
        print_json(rows)
        return
    columns = ["name", "kind", "address", "network", "area", "owner", "description"]
    print_table([c.upper() for c in columns], [[row[c] for c in columns] for row in rows])


@app.command()
def show(name: NameArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of an IOC: where it is declared, how it does, what it serves."""
    from dataclasses import asdict

    from linacre.cli.render import print_facts, print_json, print_table
    from linacre.kinds.registry import IOC
    from linacre.kinds.reports import listed_pvs
    from linacre.observing.status import facility_status

    async def work() -> tuple[IocStatus, str, tuple[ServedPv, ...]]:
        session = await session_of(file)
        session.check_ioc(name)
        row = (await facility_status(session, (name,))).row(IOC, name)
        pvs: tuple[ServedPv, ...] = ()
        if row.ioc == "up":
            async with session.engine_up() as engine:
                address = session.declaration.facility.iocs[name].address
                pvs = await listed_pvs(engine, row.live, address) or ()
        return row, session.declaration.where("iocs", name), pvs

    row, declared, pvs = run(work())
    if as_json:
        print_json(
            asdict(row)
            | {"declared": declared, "pv_names": [pv.name for pv in pvs], "pvs_served": pvs}
        )
        return
    facts = asdict(row) | {"declared": declared}
    messages = facts.pop("start_messages")
    print_facts(facts)
    for message in messages:
        put(f"  {message}")
    print_table(
        ["PV", "TYPE", "DESCRIPTION"], [[pv.name, pv.record_type, pv.description] for pv in pvs]
    )


def _act(verb: str, name: str, file: FileOption, *, twin: bool) -> None:
    from linacre.operations.iocs.acting import Verb, act

    async def work() -> bool:
        return await act(await session_of(file), Verb(verb), name, twin=twin)

    done = {"start": "started", "stop": "stopped", "restart": "restarted"}[verb]
    who = f"the twin of {name}" if twin else name
    say(f"{who}: {done if run(work()) else f'was {done} already'}")


@app.command()
def start(name: NameArgument, twin: TwinOption = False, file: FileOption = None) -> None:
    """Start an IOC's machine, and wait until the IOC serves."""
    _act("start", name, file, twin=twin)


@app.command()
def stop(name: NameArgument, twin: TwinOption = False, file: FileOption = None) -> None:
    """Stop an IOC's machine; `up` starts it again."""
    _act("stop", name, file, twin=twin)


@app.command()
def restart(name: NameArgument, twin: TwinOption = False, file: FileOption = None) -> None:
    """Restart an IOC and its procServ; its machine goes on."""
    _act("restart", name, file, twin=twin)


@app.command()
def console(name: NameArgument, twin: TwinOption = False, file: FileOption = None) -> None:
    """Join the IOC shell, also when the machine's network is broken; Ctrl-] leaves."""
    from linacre.cli.terminal import join, terminal_size
    from linacre.operations.iocs.machines import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            machine = (await running_machine(session, name, twin=twin)).name
            if terminal_size() is not None:
                say(f"the IOC shell of {machine}; Ctrl-] leaves")
            return await join(await engine.console(machine), detach=True)

    raise typer.Exit(run(work()))


@app.command()
def shell(name: NameArgument, twin: TwinOption = False, file: FileOption = None) -> None:
    """Open a shell in an IOC's machine, also when SSH or its network is broken."""
    from linacre.cli.desk import run_in
    from linacre.operations.iocs.machines import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            machine = (await running_machine(session, name, twin=twin)).name
            return await run_in(engine, machine, ["/bin/bash", "-l"])

    raise typer.Exit(run(work()))


@app.command()
def log(
    name: NameArgument,
    twin: TwinOption = False,
    file: FileOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
) -> None:
    """Print the end of an IOC's log: what procServ saw on its console."""
    from linacre.cli.logs import print_log
    from linacre.epics.launch import LOG_NAME
    from linacre.operations.iocs.machines import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            machine = (await running_machine(session, name, twin=twin)).name
            layout = engine.layout(machine, session.declaration.facility.iocs[name].address)
            path = layout.log / LOG_NAME
            return await print_log(engine, machine, path, lines=lines, follow=follow)

    raise typer.Exit(run(work()))


@app.command()
def diff(
    name: NameArgument,
    twin: TwinOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how the files that an IOC runs differ from those declared; exit status 1 if so."""
    from linacre.cli.render import print_json
    from linacre.kinds.ioc.differences import FileDifference
    from linacre.operations.iocs.differences import differences

    async def work() -> list[FileDifference]:
        session = await session_of(file)
        async with session.engine_up():
            return await differences(session, name, twin=twin)

    found = run(work())
    if as_json:
        print_json(found)
    else:
        for each in found:
            put(f"{each.change}: {each.path}")
            put(each.text, nl=False)
    if found:
        raise typer.Exit(1)
    if not as_json:
        say(f"{name} runs what is declared")
