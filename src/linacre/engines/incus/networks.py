"""The bridges of a facility: managed by Incus, named and addressed by us."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, cast

from linacre.base.errors import EngineError, LinacreError
from linacre.base.processes import run_tool
from linacre.engines.base import NetworkSpec
from linacre.engines.incus import access, machines, names, uplink
from linacre.engines.incus.cable import bridge_name
from linacre.engines.incus.client import IncusClient, IncusError
from linacre.engines.incus.links import lacks_broadcast, link_there, told_by_ip
from linacre.engines.labels import recorded_networks, recorded_uplinks

_ALL = "/1.0/networks"
_MAKING_LIMIT_S = 2.0
_TRIES = 20
_MENDING_TRIES = 3


class Networks:
    """The bridges of one facility in one daemon."""

    def __init__(
        self,
        client: IncusClient,
        facility: str,
        *,
        alone: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        """Hold the bridges of a facility; `alone` keeps others from changing links meanwhile."""
        self._alone = alone
        self._client = client
        self._facility = facility

    def _path(self, network: str) -> str:
        return f"{_ALL}/{bridge_name(self._facility, network)}"

    async def _ours(self) -> list[Mapping[str, str]]:
        """Return the configurations of the facility's bridges."""
        found = await self._client.request("GET", _ALL, query={"recursion": "1"}, project=False)
        configs = [cast(Mapping[str, str], each.get("config") or {}) for each in found]
        return [c for c in configs if c.get(names.LABEL + "facility") == self._facility]

    async def _config(self, network: str) -> Mapping[str, str] | None:
        found = await self._client.get_or_none(self._path(network), project=False)
        return None if found is None else cast(Mapping[str, str], found["config"])

    async def recorded(self, record: Mapping[str, str]) -> list[str]:
        """Return the declared names of the bridges that a facility's record tells of and that are.

        Only the names of the daemon's networks are asked for: to tell more of one it looks at
        every link of the host.
        """
        urls = cast(list[str], await self._client.request("GET", _ALL, project=False))
        there = {url.rpartition("/")[2] for url in urls}
        known = recorded_uplinks(record)
        return [name for name in known if bridge_name(self._facility, name) in there]

    async def all_names(self) -> list[str]:
        """Return the declared names of the bridges that there are, recorded or not."""
        return [config[names.LABEL + "network"] for config in await self._ours()]

    async def check(self, network: NetworkSpec) -> None:
        """Raise `UserError` where the uplink of a network cannot be joined.

        A network that has this uplink already is not looked at: its NIC may be away for a while.
        """
        if network.uplink is not None and await self.uplink(network.name) != network.uplink:
            await uplink.check(bridge_name(self._facility, network.name), network.uplink)

    async def check_free(self, network: str) -> None:
        """Raise `EngineError` where this host has the bridge of a network from another daemon."""
        if await self._client.get_or_none(self._path(network), project=False) is None:
            self._check_free(bridge_name(self._facility, network), network)

    async def ensure(self, network: NetworkSpec) -> None:
        """Make the bridge of a network, or bring it to this state."""
        bridge = bridge_name(self._facility, network.name)
        config = machines.network_config(network, facility=self._facility)
        if self._client.is_local:
            await self.check(network)
            # First: the host's address of a network without an uplink may be the site's router's.
            await uplink.part(bridge, keep=network.uplink)
        await self._patiently(lambda: self._make(network, config))
        if self._client.is_local:
            await _mend_broadcast(bridge)
            if network.uplink is not None:
                await uplink.join(bridge, network.uplink)
            async with self._alone():
                await access.ensure(bridge, network)

    async def _make(self, network: NetworkSpec, config: Mapping[str, str]) -> None:
        body: dict[str, Any] = {"config": config, "description": "made by Linacre"}
        path = self._path(network.name)
        bridge = bridge_name(self._facility, network.name)
        found = await self._whole(path, bridge)
        if found is None:
            self._check_free(bridge, network.name)
            body |= {"name": bridge, "type": "bridge"}
            await self._client.request("POST", _ALL, body=body, project=False)
        # The daemon keeps no empty values.
        elif any(found["config"].get(key, "") != value for key, value in config.items()):
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
        return self._client.is_local and not link_there(bridge)

    def _check_free(self, bridge: str, network: str) -> None:
        if self._client.is_local and not self._is_missing(bridge):
            raise EngineError(
                f"the bridge {bridge} of the network {network} is on this host already, from "
                f"another daemon or another LINACRE_STATE: take {self._facility} down there first"
            )

    async def remove(self, network: str) -> None:
        """Remove the bridge of a network, and what joins it; none there is no error."""
        path, bridge = self._path(network), bridge_name(self._facility, network)
        if self._client.is_local:
            await access.remove([bridge])
        await self._patiently(lambda: self._client.remove(path, project=False))
        if self._client.is_local:
            await uplink.remove_links([bridge])

    async def uplink(self, network: str) -> str | None:
        """Return the uplink that a network was made with, or None."""
        config = await self._config(network)
        return config.get(names.LABEL + "uplink") or None if config else None

    async def client_environment(self, network: str, record: Mapping[str, str]) -> dict[str, str]:
        """Return the EPICS variables for a client on this host, by a facility's record."""
        recorded = recorded_networks(record)
        found = next((each.access for each in recorded if each.name == network), None)
        if found is not None:
            return machines.access_environment(found)
        broadcast = await self._broadcast(network)
        return {} if broadcast is None else machines.address_lists(broadcast)

    async def _broadcast(self, network: str) -> IPv4Address | None:
        """Return the address by which this host reaches all of a network, or None.

        Without an address of its own on the network, the host reaches one with an uplink through
        the site.
        """
        config = await self._config(network) or {}
        if (address := config.get("ipv4.address", "none")) != "none":
            return IPv4Interface(address).network.broadcast_address
        subnet = config.get(names.LABEL + "subnet") if config.get(names.LABEL + "uplink") else None
        return IPv4Network(subnet).broadcast_address if subnet else None

    async def mend(self, record: Mapping[str, str]) -> None:
        """Bring back what is missing of bridges that were made: broadcast addresses, uplinks.

        Which there are is in the facility's record: to tell of them, the daemon looks at every
        link of the host. An uplink that cannot be had is left: machines go on, and
        `uplink.missing_joint` tells.
        """
        await self._until_there(record)
        for network in recorded_networks(record):
            bridge = bridge_name(self._facility, network.name)
            if lacks_broadcast(bridge):
                await _mend_broadcast(bridge)
            with contextlib.suppress(LinacreError):
                if network.uplink is not None and link_there(bridge):
                    await uplink.join(bridge, network.uplink)
                if access.is_lost(bridge, network):
                    # Another command may be about to: the second would take away the first's.
                    async with self._alone():
                        await access.mend(bridge, network)

    async def _until_there(self, record: Mapping[str, str]) -> None:
        """Wait for the bridges that the daemon has: one that has just been started makes them."""
        wanted = {bridge_name(self._facility, network) for network in recorded_uplinks(record)}
        if all(map(link_there, wanted)):
            return
        known = {bridge_name(self._facility, name) for name in await self.recorded(record)}
        end = time.monotonic() + _MAKING_LIMIT_S
        while not all(map(link_there, known)) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        for bridge in known:
            if not link_there(bridge):
                with contextlib.suppress(LinacreError):
                    await self._make_again(bridge)

    async def _make_again(self, bridge: str) -> None:
        """Make a bridge that the daemon has an entry of and could not make at its start.

        It looks at every link of the host then too, and gives up where one goes meanwhile; by
        itself it tries again after a minute, and no machine could start until then.
        """
        path = f"{_ALL}/{bridge}"
        # Another command may be about to: the second would take away what the first has made.
        async with self._alone():
            found = await self._client.get_or_none(path, project=False)
            if found is None or link_there(bridge):
                return
            config = {k: v for k, v in found["config"].items() if not k.startswith("volatile.")}
            body = {
                "name": bridge,
                "type": "bridge",
                "config": config,
                "description": found["description"],
            }
            await self._client.remove(path, project=False)
            await self._patiently(
                lambda: self._client.request("POST", _ALL, body=body, project=False)
            )


async def _mend_broadcast(bridge: str) -> None:
    """Give a bridge's addresses their broadcast address, which Incus leaves out.

    Without it libca and pvxs on this host do not search on the bridge.
    """
    for left in reversed(range(_MENDING_TRIES)):
        told = await told_by_ip("-4", "address", "show", "dev", bridge)
        lacking = [
            f"{each['local']}/{each['prefixlen']}"
            for link in told
            for each in link.get("addr_info", [])
            if "broadcast" not in each
        ]
        if not lacking:
            return
        # The kernel changes no broadcast address: out and in again, in one go.
        orders = "".join(
            f"address delete {each} dev {bridge}\naddress add {each} broadcast + dev {bridge}\n"
            for each in lacking
        )
        said = await run_tool("ip", "-batch", "-", stdin=orders.encode(), check=False)
        # The daemon, or another command, may have changed it between the look and the order.
        if "Command failed" in said and left == 0:
            raise EngineError(f"{bridge} has no broadcast address: {said.splitlines()[0]}")
