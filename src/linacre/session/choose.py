"""Which engine runs a facility here; only that one is imported."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import FacilityPaths
from linacre.declaration import models
from linacre.engines.base import Engine
from linacre.session.state import FacilityNote, RemoteNote

if TYPE_CHECKING:
    from linacre.engines.incus.connection import IncusSettings


async def choose_engine(
    settings: models.Engine, *, facility: str, base: Path, paths: FacilityPaths, last: str | None
) -> tuple[Engine, str | None]:
    """Return the engine for a facility, and the line that says why, where there was a choice.

    `base` is the folder of the facility file; `last` names the engine that has the facility
    now, if any: `auto` stays with it. Raises `UserError` where the declared engine is another.
    """
    if not isinstance(settings, models.AutoEngine) and last not in (None, settings.kind):
        raise UserError(
            f"{facility} runs on the {last} engine and the file now says {settings.kind}: "
            "run linacre down --purge first, or change engine back"
        )
    if isinstance(settings, models.ProcessEngine) or last == "process":
        return _process_engine(facility, paths), None

    from linacre.engines.incus.connection import IncusSettings, why_unavailable
    from linacre.engines.incus.engine import IncusEngine

    if isinstance(settings, models.IncusEngine):
        return IncusEngine(facility, paths, _incus_settings(settings, base)), None
    if last is None and (reason := await why_unavailable()) is not None:
        said = f"engine: process ({reason}): IOCs run as processes on 127.x addresses"
        return _process_engine(facility, paths), said
    return IncusEngine(facility, paths, IncusSettings()), None


def noted_engine(note: FacilityNote, paths: FacilityPaths) -> Engine:
    """Return the engine that has a facility, without its file."""
    if note.engine == "process":
        return _process_engine(note.facility, paths)
    if note.engine != "incus":
        raise LinacreError(f"{note.facility} runs on the engine {note.engine}, unknown here")

    from linacre.engines.incus.client import Remote
    from linacre.engines.incus.connection import IncusSettings
    from linacre.engines.incus.engine import IncusEngine

    remote = None if note.remote is None else Remote(**note.remote.model_dump())
    return IncusEngine(note.facility, paths, IncusSettings(remote=remote))


def _process_engine(facility: str, paths: FacilityPaths) -> Engine:
    from linacre.engines.process.engine import ProcessEngine

    return ProcessEngine(facility, paths)


def remote_note(settings: models.Engine, *, base: Path) -> RemoteNote | None:
    """Return what must be remembered of an engine that is not on this host."""
    if not isinstance(settings, models.IncusEngine):
        return None
    remote = _incus_settings(settings, base).remote
    return None if remote is None else RemoteNote(**asdict(remote))


def pool_bytes(settings: models.Engine) -> int | None:
    """Return how large the storage pool of a facility is to be; None where it has none."""
    if not isinstance(settings, models.IncusEngine):
        return None
    from linacre.engines.incus.connection import DEFAULT_POOL_BYTES

    return int(settings.pool_size or DEFAULT_POOL_BYTES)


def _incus_settings(settings: models.IncusEngine, base: Path) -> IncusSettings:
    from linacre.engines.incus.client import Remote
    from linacre.engines.incus.connection import DEFAULT_POOL_BYTES, IncusSettings

    size_bytes = int(settings.pool_size or DEFAULT_POOL_BYTES)
    if settings.url is None:
        return IncusSettings(pool_bytes=size_bytes)
    assert settings.certificate is not None
    assert settings.key is not None
    server = settings.server_certificate
    remote = Remote(
        url=settings.url,
        certificate=base / settings.certificate,
        key=base / settings.key,
        server_certificate=None if server is None else base / server,
    )
    return IncusSettings(remote=remote, pool_bytes=size_bytes)
