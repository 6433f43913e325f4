"""The bridges of a facility: managed by Incus, named and addressed by us."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, cast

from linacre.base.errors import EngineError
from linacre.base.processes import run_tool
from linacre.engines.base import NetworkSpec
from linacre.engines.incus import machines, names
from linacre.engines.incus.cable import bridge_name
from linacre.engines.incus.client import IncusClient

_ALL = "/1.0/networks"
_MAKING_LIMIT_S = 2.0


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
        await self.mend_broadcast()

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
        await self._client.remove(self._path(network), project=False)

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
        ours = {bridge_name(self._facility, name) for name in await self.declared_names()}
        told = json.loads(await run_tool("ip", "-json", "-4", "address", "show"))
        for link in cast(list[dict[str, Any]], told):
            bridge = str(link.get("ifname"))
            for each in cast(list[dict[str, Any]], link["addr_info"] if bridge in ours else []):
                if "broadcast" not in each:
                    # The kernel changes no broadcast address: out and in again, in one go.
                    address = f"{each['local']}/{each['prefixlen']}"
                    orders = (
                        f"address delete {address} dev {bridge}\n"
                        f"address add {address} broadcast + dev {bridge}\n"
                    )
                    await run_tool("ip", "-batch", "-", stdin=orders.encode())
