"""Where samples are kept, as the recorder uses it; and what the samples tell of a lost registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from linacre.archiver.model import BlobBatch, ChannelSpec, Provider, ScalarBatch, Series
from linacre.archiver.registry.registry import Registry
from linacre.archiver.registry.rows import Channel
from linacre.archiver.service import Event
from linacre.archiver.store.snapshot import Snapshot
from linacre.base.errors import LinacreError


class Keeper(Protocol):
    """Where samples are kept: `Store`, as the recorder uses it."""

    @property
    def full(self) -> bool: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102
    @property
    def damaged(self) -> int: ...  # noqa: D102
    def series(self) -> Iterable[Series]: ...  # noqa: D102
    def declare(self, series: Series) -> None: ...  # noqa: D102
    def append(  # noqa: D102
        self, scalars: Sequence[ScalarBatch], blobs: Sequence[BlobBatch]
    ) -> None: ...
    def sync(self) -> None: ...  # noqa: D102
    def tick(self) -> None: ...  # noqa: D102
    def rotate(self) -> None: ...  # noqa: D102
    def dropped(self) -> Mapping[Series, int]: ...  # noqa: D102
    def happened(self) -> list[Event]: ...  # noqa: D102
    def last_times(self, pvs: Iterable[str]) -> Mapping[str, int]: ...  # noqa: D102
    def snapshot(self) -> Snapshot: ...  # noqa: D102


def rebuild(registry: Registry, store: Keeper, now_ns: int) -> None:
    """Give a registry that was damaged what the samples still tell; nothing where it was not."""
    registry.adopt(store.series())
    snapshot = store.snapshot()
    if not registry.repaired and not (registry.is_new and snapshot.pvs()):
        return
    known = {c.spec.pv for c in (*registry.channels(), *registry.channels(removed=True))}
    natives = {series.pv: series.native for series in store.series()}
    found: list[Channel] = []
    for pv in sorted(snapshot.pvs() - known - registry.erased().keys()):
        # The native types of Channel Access are all named so; without one, it is the usual.
        by_ca = natives.get(pv, "DBR_").startswith("DBR_")
        spec = ChannelSpec(pv=pv, provider=Provider.CA if by_ca else Provider.PVA)
        found.append(Channel(spec=spec, added_ns=now_ns, added_by="found among the samples"))
    try:
        registry.put(found)
    except LinacreError:
        # On a full disk the next start tries again.
        return
    what = registry.repaired or "there was no registry; made anew from the samples"
    registry.note(Event("", now_ns, "registry", {"what": what, "pvs_found": len(found)}))
