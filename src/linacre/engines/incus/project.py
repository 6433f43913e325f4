"""The project of a facility in Incus, whose own keys are the facility's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from linacre.engines.incus import names
from linacre.engines.incus.client import IncusClient


class Project:
    """The project of one facility."""

    def __init__(self, client: IncusClient, facility: str) -> None:
        self._client = client
        self._name = names.project(facility)

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
        # PATCH merges in the daemon, so that two commands at once lose nothing of each other's.
        config = {names.LABEL + key: value or "" for key, value in values.items()}
        await self._client.request("PATCH", self._path, body={"config": config}, project=False)

    async def remove(self) -> None:
        """Remove the project, which is empty."""
        await self._client.remove(self._path, project=False)
