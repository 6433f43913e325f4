"""Having ready what a machine on demand needs, before it is asked for."""

from __future__ import annotations

from linacre.engines.base import Capability
from linacre.kinds.image import archiver_recipe, have_image
from linacre.operations.apply import ApplyContext, apply
from linacre.operations.interaction import Interaction
from linacre.planning.plan import Action, Plan, Step
from linacre.planning.specs import Declared
from linacre.session.session import Session


async def prepare_archivers(session: Session, interaction: Interaction) -> bool:
    """Build the image of archivers, and make it known to the engine of a facility that is up.

    Returns whether the engine needs one. Raises `LinacreError` where it cannot be built.
    """
    if Capability.FILE_SYSTEM not in session.engine.capabilities():
        return False
    digest = archiver_recipe().digest()
    if not await session.is_up():
        await have_image(session, digest, report=interaction.say)
        return True
    step = Step(Action.IMAGE, digest, "have the image of archivers ready")
    plan = Plan((step,))
    async with session.changing("archiver prepare") as engine:
        context = ApplyContext(
            engine=engine,
            declared=Declared(networks=(), machines=(), after={}, iocs={}),
            found={},
            build_image=lambda wanted: have_image(session, wanted, report=interaction.say),
            record={},
            clock=session.clock,
        )
        async with session.task(
            "archiver prepare", steps=[(step.key, step.title)], listener=interaction.listener
        ) as task:
            await apply(plan, context, task)
    return True
