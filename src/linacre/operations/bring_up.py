"""Bringing a facility up: from its declaration to machines, by way of a plan."""

from __future__ import annotations

import getpass
import time
from dataclasses import replace

import linacre
from linacre.declaration.load import Declaration
from linacre.kinds.image import have_image
from linacre.kinds.registry import kinds_of
from linacre.operations.apply import ApplyContext, StepsFailedError, apply
from linacre.operations.history.recording import Recorder
from linacre.operations.history.states import Draft, declared_draft
from linacre.operations.interaction import Interaction
from linacre.operations.iocs.served import tell_unserved
from linacre.operations.iocs.start_errors import tell_start_errors
from linacre.planning.plan import Action, Plan, narrowed
from linacre.planning.preview import Preview, UpOptions, declaration_digest, preview
from linacre.session.lock import FacilityLock
from linacre.session.session import Session
from linacre.session.state import Standing


def _recorded_text(declaration: Declaration) -> str:
    """Return the file's text as the engine keeps it: without the hash of a password."""
    telnet = declaration.facility.access.telnet
    if telnet is None:
        return declaration.text
    return declaration.text.replace(telnet.password_hash, "(kept out)")


def _record(session: Session) -> dict[str, str]:
    return {
        "digest": declaration_digest(session.declaration),
        "declaration": _recorded_text(session.declaration),
        "file": str(session.declaration.file.absolute()),
        "applied": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.clock.now())),
        "by": getpass.getuser(),
        "version": linacre.__version__,
    }


_LAYING = frozenset({Action.CREATE, Action.UPDATE, Action.REBUILD})
_STARTING = frozenset({Action.START, Action.RESTART, Action.CHECK})


async def bring_up(
    session: Session,
    options: UpOptions,
    interaction: Interaction,
    *,
    verb: str = "up",
    note: str = "",
) -> Preview | None:
    """Bring the facility to its declaration, as one task.

    `verb` is the command that it is a part of, and `note` what history says beside it.

    Returns what was done, or None where the person asked said no. Raises `BusyError` while
    another command changes the facility, `StepsFailedError` where not all could be done.
    """
    if session.engine_line:
        interaction.say(session.engine_line)
    async with (
        FacilityLock(session.paths, command=verb, clock=session.clock),
        session.engine_open(),
    ):
        ahead = await preview(session, options)
        for line in ahead.notes:
            interaction.say(line)
        if ahead.plan.is_empty:
            session.take_note(Standing.UP)
            return ahead
        interaction.show_plan(ahead.plan)
        if ahead.plan.restarts and not interaction.confirm(_question(ahead.plan)):
            return None
        session.take_note(Standing.UP)
        try:
            await _carry_out(session, options, ahead, interaction, verb=verb, note=note)
        except StepsFailedError:
            # Others may have come up, and not as they should.
            await _tell_of_started(session, ahead, interaction)
            raise
        await _tell_of_started(session, ahead, interaction)
        # IOCs that were started may serve PVs that nothing knew of before.
        if _iocs_of(ahead):
            await _tell_archivers(session, interaction)
    return ahead


async def _tell_of_started(session: Session, ahead: Preview, interaction: Interaction) -> None:
    """Tell what is wrong with IOCs that have come up."""
    started = _started(ahead)
    await tell_start_errors(session, started, say=interaction.say)
    await tell_unserved(
        session,
        started,
        specs=ahead.declared.iocs,
        before=ahead.found.machines,
        say=interaction.say,
    )


def _iocs_of(ahead: Preview) -> set[str]:
    """Return the IOCs with whose machines the plan does something."""
    targets = {step.target for step in ahead.plan.steps}
    return {ioc for ioc, pair in ahead.pairs.items() if not targets.isdisjoint(pair.names)}


def _started(ahead: Preview) -> dict[str, str]:
    """Return the IOCs that the plan starts, by the machine that serves."""
    targets = {step.target for step in ahead.plan.steps if step.action in _STARTING}
    return {pair.live: ioc for ioc, pair in ahead.pairs.items() if pair.live in targets}


async def _tell_archivers(session: Session, interaction: Interaction) -> None:
    """Tell archivers of PVs that their patterns mean only now, of IOCs that have just come up."""
    facility, folder = session.declaration.facility, session.declaration.folder
    wide = {
        name
        for kind, name, item in kinds_of(session).programs(facility)
        if kind.patterns(item, folder)
    }
    if not wide:
        return
    ahead = await preview(session, UpOptions(only=frozenset(wide)))
    plan = narrowed(ahead.plan, wide)
    if any(step.action is Action.RELOAD for step in plan.steps) and not plan.restarts:
        found = replace(ahead, plan=plan)
        await _carry_out(
            session, UpOptions(only=frozenset()), found, interaction, verb="archiver tell"
        )


def _question(plan: Plan) -> str:
    return f"This restarts {', '.join(plan.restarts)}. Go on?"


async def _carry_out(
    session: Session,
    options: UpOptions,
    ahead: Preview,
    interaction: Interaction,
    *,
    verb: str,
    note: str = "",
) -> None:
    context = ApplyContext(
        engine=session.engine,
        declared=ahead.declared,
        found=ahead.found.machines,
        build_image=lambda digest: have_image(session, digest, report=interaction.say),
        record=_record(session),
        clock=session.clock,
        boot_limit_s=options.boot_limit_s,
    )
    steps = [(step.key, step.title) for step in ahead.plan.steps]
    detail = str(session.declaration.file)
    about = _iocs_of(ahead) if options.only is None else options.only
    recorder = Recorder(session, verb, drafts=_drafts(session, ahead), about=about, note=note)
    async with session.task(
        verb, detail=detail, steps=steps, listener=interaction.listener, recorder=recorder
    ) as task:
        await apply(ahead.plan, context, task)


def _drafts(session: Session, ahead: Preview) -> list[Draft]:
    """Return what the IOCs are to be whose files or settings the plan lays."""
    laid = {step.target for step in ahead.plan.steps if step.action in _LAYING}
    iocs = session.declaration.facility.iocs
    return [
        declared_draft(
            session.declaration,
            name,
            ahead.declared.iocs[name],
            session.engine.layout(pair.live, iocs[name].address),
        )
        for name, pair in ahead.pairs.items()
        if pair.live in laid
    ]
