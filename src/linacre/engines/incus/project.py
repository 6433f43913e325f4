"""The project of a facility in Incus, and the profile in it whose keys are the facility's record.

No machine uses the profile. The project itself has keys too, where the record was once; but Incus
looks at every instance of a project to read or to change one of those.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import cast

from linacre.base.alone import alone
from linacre.engines.incus import names
from linacre.engines.incus.client import IncusClient, IncusError

_PRECONDITION_FAILED = 412
_TRIES = 50
_NAME = "linacre"
_RECORD = f"/1.0/profiles/{_NAME}"


def _ours(config: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(names.LABEL): value
        for key, value in config.items()
        if key.startswith(names.LABEL)
    }


class Project:
    """The project of one facility."""

    def __init__(self, client: IncusClient, facility: str, *, folder: Path) -> None:
        self._client = client
        self._name = names.project(facility)
        self._folder = folder

    @property
    def _path(self) -> str:
        return f"/1.0/projects/{self._name}"

    async def ensure(self) -> None:
        """Make the project; one that is there is left alone."""
        if not await self._client.exists(self._path, project=False):
            config = {"features.images": "true", "features.profiles": "true"}
            body = {"name": self._name, "description": "made by Linacre", "config": config}
            await self._client.request("POST", "/1.0/projects", body=body, project=False)

    async def record(self) -> dict[str, str]:
        """Return the facility's record; {} where there is none."""
        found = await self._client.get_or_none(_RECORD)
        return _ours(found["config"]) if found else await self._earlier()

    async def _earlier(self) -> dict[str, str]:
        """Return what an earlier version recorded with the project itself."""
        found = await self._client.get_or_none(self._path, project=False)
        return _ours(found["config"]) if found else {}

    async def set_record(self, values: Mapping[str, str | None]) -> None:
        """Change entries of the record in one stroke, leaving the others; None removes one."""
        async with self._alone():
            await self._change(values)

    def _alone(self) -> AbstractAsyncContextManager[None]:
        # The daemon checks its tags before it writes and not while, so they alone do not serve.
        return alone(self._folder / "record.lock")

    async def _change(self, values: Mapping[str, str | None]) -> None:
        if not await self._client.exists(_RECORD):
            await self._begin_record()
        for left in reversed(range(_TRIES)):
            found, etag = await self._client.with_etag(_RECORD)
            config = dict(cast(Mapping[str, str], found["config"]))
            for key, value in values.items():
                config.pop(names.LABEL + key, None)
                if value is not None:
                    config[names.LABEL + key] = value
            body = {"config": config, "description": found["description"]}
            try:
                await self._client.request("PUT", _RECORD, body=body, headers={"If-Match": etag})
            except IncusError as error:
                # Another host changed it meanwhile, and what it wrote must stay.
                if error.status != _PRECONDITION_FAILED or left == 0:
                    raise
            else:
                return

    async def _begin_record(self) -> None:
        """Make the profile, with what was recorded in the earlier place, which is emptied then."""
        earlier = {names.LABEL + key: value for key, value in (await self._earlier()).items()}
        body = {"name": _NAME, "description": "the facility's record", "config": earlier}
        await self._client.request("POST", "/1.0/profiles", body=body)
        if earlier:
            found = await self._client.request("GET", self._path, project=False)
            config = {key: value for key, value in found["config"].items() if key not in earlier}
            body = {"config": config, "description": found["description"]}
            await self._client.request("PUT", self._path, body=body, project=False)

    async def remove(self) -> None:
        """Remove the project, which is empty but for the record."""
        await self._client.remove(_RECORD)
        await self._client.remove(self._path, project=False)
