"""The bridges of a facility: managed by Incus, named and addressed by us."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import EngineError
from linacre.base.processes import run_tool
from linacre.engines.base import NetworkSpec
from linacre.engines.incus import machines, names
from linacre.engines.incus.cable import bridge_name
from linacre.engines.incus.client import IncusClient, IncusError

_ALL = "/1.0/networks"
_MAKING_LIMIT_S = 2.0
_TRIES = 20


class Networks:
    """The bridges of one facility in one daemon."""

    def __init__(self, client: IncusClient, facility: str) -> None:
        self._client = client
        self._facility = facility

    def _path(self, network: str) -> str:
        return f"{_ALL}/{bridge_name(self._facility, network)}"

    async def declared_names(self) -> list[str]:
        """Return the declared names of the bridges that there are."""
        found = await self._client.request("GET", _ALL, query={"recursion": "1"}, project=False)
        configs = [cast(Mapping[str, str], each.get("config") or {}) for each in found]
        return [
            config[names.LABEL + "network"]
            for config in configs
            if config.get(names.LABEL + "facility") == self._facility
        ]

    async def ensure(self, network: NetworkSpec) -> None:
        """Make the bridge of a network, or bring it to this state."""
        config = machines.network_config(network) | {
            names.LABEL + "facility": self._facility,
            names.LABEL + "network": network.name,
        }
        await self._patiently(lambda: self._make(network, config))
        await self.mend_broadcast()

    async def _make(self, network: NetworkSpec, config: Mapping[str, str]) -> None:
        body: dict[str, Any] = {"config": config, "description": "made by Linacre"}
        path = self._path(network.name)
        bridge = bridge_name(self._facility, network.name)
        found = await self._whole(path, bridge)
        if found is None:
            self._check_free(bridge, network.name)
            body |= {"name": bridge, "type": "bridge"}
            await self._client.request("POST", _ALL, body=body, project=False)
        elif any(found["config"].get(key) != value for key, value in config.items()):
            await self._client.request("PUT", path, body=body, project=False)

    @staticmethod
    async def _patiently(work: Callable[[], Awaitable[None]]) -> None:
        """Do work on a bridge, again where another cable of this host came between.

        Incus looks at every link of the host, one after the other, and gives up where one of a
        container that ends elsewhere has gone meanwhile.
        """
        for left in reversed(range(_TRIES)):
            try:
                return await work()
            except IncusError as error:
                if left == 0 or "ip -d -j link show" not in str(error):
                    raise
                await asyncio.sleep(0.1)

    async def _whole(self, path: str, bridge: str) -> dict[str, Any] | None:
        """Return the daemon's entry of a bridge that there is; remove one that is only an entry.

        An entry is all that stays where whoever asked for the bridge was killed meanwhile: the
        daemon goes on for a moment, then takes back the bridge and keeps the entry.
        """
        end = time.monotonic() + _MAKING_LIMIT_S
        while True:
            found = await self._client.get_or_none(path, project=False)
            if found is None:
                return None
            if found["status"] == "Created" and not self._is_missing(bridge):
                return found
            if time.monotonic() > end:
                await self._client.remove(path, project=False)
                return None
            await asyncio.sleep(0.05)

    def _is_missing(self, bridge: str) -> bool:
        return self._client.is_local and not Path(f"/sys/class/net/{bridge}").exists()

    def _check_free(self, bridge: str, network: str) -> None:
        if self._client.is_local and not self._is_missing(bridge):
            raise EngineError(
                f"the bridge {bridge} of the network {network} is on this host already, from "
                f"another daemon or another LINACRE_STATE: take {self._facility} down there first"
            )

    async def remove(self, network: str) -> None:
        """Remove the bridge of a network; none there is no error."""
        path = self._path(network)
        await self._patiently(lambda: self._client.remove(path, project=False))

    async def address(self, network: str) -> IPv4Interface | None:
        """Return the host's address on a network, or None where there is no such bridge."""
        found = await self._client.get_or_none(self._path(network), project=False)
        return None if found is None else IPv4Interface(found["config"]["ipv4.address"])

    async def mend_broadcast(self) -> None:
        """Give the bridges' addresses their broadcast address, which Incus leaves out.

        Without it libca and pvxs on this host do not search on the bridge.
        """
        if not self._client.is_local:
            return
        for name in await self.declared_names():
            bridge = bridge_name(self._facility, name)
            for each in await _addresses(bridge):
                if "broadcast" not in each:
                    # The kernel changes no broadcast address: out and in again, in one go.
                    address = f"{each['local']}/{each['prefixlen']}"
                    orders = (
                        f"address delete {address} dev {bridge}\n"
                        f"address add {address} broadcast + dev {bridge}\n"
                    )
                    await run_tool("ip", "-batch", "-", stdin=orders.encode())


async def _addresses(bridge: str) -> list[dict[str, Any]]:
    """Return what `ip` tells of the addresses of a bridge; nothing where there is no such link."""
    said = await run_tool("ip", "-json", "-4", "address", "show", "dev", bridge, check=False)
    # Beside the JSON, `ip` may complain that links of others came or went meanwhile.
    told = next((line for line in said.splitlines() if line.startswith("[{")), "[]")
    links = cast(list[dict[str, Any]], json.loads(told))
    return [each for link in links for each in link.get("addr_info", [])]
