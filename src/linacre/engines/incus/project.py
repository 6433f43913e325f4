"""The project of a facility in Incus, whose own keys are the facility's record."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from linacre.engines.incus import names
from linacre.engines.incus.client import IncusClient, IncusError

_PRECONDITION_FAILED = 412
_TRIES = 50


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
        """Return the facility's record; {} where there is no project."""
        found = await self._client.get_or_none(self._path, project=False)
        config = cast(Mapping[str, Any], found["config"] if found else {})
        return {
            key.removeprefix(names.LABEL): value
            for key, value in config.items()
            if key.startswith(names.LABEL)
        }

    async def set_record(self, values: Mapping[str, str | None]) -> None:
        """Change entries of the record in one stroke, leaving the others; None removes one."""
        async with self._alone():
            await self._change(values)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        # The daemon checks its tags before it writes and not while, so they alone do not serve.
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "record.lock").open("w") as file:
            await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
            yield

    async def _change(self, values: Mapping[str, str | None]) -> None:
        for left in reversed(range(_TRIES)):
            found, etag = await self._client.with_etag(self._path, project=False)
            config = dict(cast(Mapping[str, str], found["config"]))
            for key, value in values.items():
                config.pop(names.LABEL + key, None)
                if value is not None:
                    config[names.LABEL + key] = value
            body = {"config": config, "description": found["description"]}
            try:
                await self._client.request(
                    "PUT", self._path, body=body, headers={"If-Match": etag}, project=False
                )
            except IncusError as error:
                # Another host changed it meanwhile, and what it wrote must stay.
                if error.status != _PRECONDITION_FAILED or left == 0:
                    raise
            else:
                return

    async def remove(self) -> None:
        """Remove the project, which is empty."""
        await self._client.remove(self._path, project=False)
