"""An archiver's counts in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from linacre.archiver.model import NANOSECONDS, Drop
from linacre.archiver.service import ChannelState, ChannelStatus, Info

CONTENT_TYPE = CONTENT_TYPE_LATEST
_P = "linacre_archiver_"


def metrics_text(
    info: Info, channels: Sequence[ChannelStatus], *, now_ns: int, per_pv: bool
) -> bytes:
    """Return the metrics of an archiver, and those of each PV where they are asked for."""
    registry = CollectorRegistry(auto_describe=False)
    found = list(_whole(info, channels, now_ns))
    registry.register(_Given(found + (list(_each(channels)) if per_pv else [])))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(_P + name, about, value=value)


def _whole(info: Info, channels: Sequence[ChannelStatus], now_ns: int) -> Iterator[Metric]:
    about = GaugeMetricFamily(_P + "info", "The archiver.", labels=("name", "owner", "version"))
    about.add_metric((info.name, info.owner, info.version), 1)
    yield about
    yield CounterMetricFamily(_P + "samples", "Samples stored since the start.", value=info.samples)
    drops = CounterMetricFamily(_P + "drops", "Samples refused, by reason.", labels=("reason",))
    counts: Counter[str] = Counter()
    for channel in channels:
        counts.update({str(reason): n for reason, n in channel.drops.items()})
    for reason in Drop:
        drops.add_metric((str(reason),), counts[str(reason)])
    yield drops
    states = GaugeMetricFamily(_P + "pvs", "PVs, by the state of their channel.", labels=("state",))
    standing = Counter(str(channel.state) for channel in channels)
    for state in ChannelState:
        states.add_metric((str(state),), standing[str(state)])
    yield states
    yield _gauge("connected", "PVs that are connected.", info.connected)
    yield CounterMetricFamily(
        _P + "losses", "Connections lost.", value=sum(channel.losses for channel in channels)
    )
    yield _gauge("rate_hertz", "Samples a second.", sum(c.rate_hz for c in channels))
    yield _gauge("disk_bytes", "Bytes on disk.", info.bytes)
    yield _gauge("disk_full", "1 while it cannot write.", info.disk_full)
    yield _gauge("damaged_blocks", "Blocks of the store that were found damaged.", info.damaged)
    yield _gauge("misdated_pvs", "PVs with times ahead of the archiver's clock.", info.misdated)
    yield _gauge("read_only", "1 after the archiver's end.", info.read_only)
    newest = max((channel.last_ns for channel in channels), default=0)
    lag = (now_ns - newest) / NANOSECONDS if newest else float("nan")
    yield _gauge("lag_seconds", "Age of the newest sample of all PVs; NaN: there is none.", lag)
    yield _gauge(
        "loss_window_seconds", "Age by which a sample is safe on the disk.", info.loss_window_s
    )
    yield _gauge("start_time_seconds", "When it was started.", info.started_ns / NANOSECONDS)
    if info.ends_ns is not None:
        yield _gauge("end_time_seconds", "When it ends.", info.ends_ns / NANOSECONDS)


def _each(channels: Sequence[ChannelStatus]) -> Iterator[Metric]:
    label = ("pv",)
    samples = CounterMetricFamily(_P + "pv_samples", "Samples stored of a PV.", labels=label)
    losses = CounterMetricFamily(_P + "pv_losses", "Connections lost of a PV.", labels=label)
    drops = CounterMetricFamily(
        _P + "pv_drops", "Samples refused of a PV.", labels=("pv", "reason")
    )
    connected = GaugeMetricFamily(_P + "pv_connected", "1 while it is connected.", labels=label)
    rate = GaugeMetricFamily(_P + "pv_rate_hertz", "Samples a second of a PV.", labels=label)
    last = GaugeMetricFamily(
        _P + "pv_last_sample_time_seconds", "The newest sample's time; 0: none.", labels=label
    )
    for channel in channels:
        name = (channel.spec.pv,)
        samples.add_metric(name, channel.samples)
        losses.add_metric(name, channel.losses)
        connected.add_metric(name, channel.state is ChannelState.CONNECTED)
        rate.add_metric(name, channel.rate_hz)
        last.add_metric(name, channel.last_ns / NANOSECONDS)
        for reason, count in channel.drops.items():
            drops.add_metric((channel.spec.pv, str(reason)), count)
    yield from (samples, losses, drops, connected, rate, last)
