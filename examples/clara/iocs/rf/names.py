"""What the RF stations of CLARA are called, and their figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names of CLARA for one station, and its figures."""

    control: str
    low_level: str
    modulator: str
    protection: tuple[str, ...]
    power_max_mw: float
    power_mw: float
    crest_deg: float
    pulse_us: float
    voltage_kv: float
    databases: tuple[str, ...] = ()


# Powers: the highest at which the momentum was measured (2021). The crest of the gun is the one
# that is published, of the other gun.
STATIONS = {
    "gun": Names(
        control="CLA-GUNS-RF-CTRL-01",
        low_level="CLA-GUNS-LRF-CTRL-01",
        modulator="CLA-GUNS-HRF-MOD-01",
        protection=tuple(f"CLA-GUN-RF-PROT{p}-01" for p in ("G", "E", "T", "CL")),
        power_max_mw=9.9,
        power_mw=7.62,
        crest_deg=145.789,
        pulse_us=2.5,
        voltage_kv=240,
        databases=("water.db",),
    ),
    "l01": Names(
        control="CLA-L01-RF-CTRL-01",
        low_level="CLA-L01-LRF-CTRL-01",
        modulator="CLA-L01-HRF-MOD-01",
        protection=tuple(f"CLA-L01-RF-PROT{p}-01" for p in ("G", "E", "T", "L01")),
        power_max_mw=13.8,
        power_mw=10.1,
        crest_deg=269.90983,
        pulse_us=0.765,
        voltage_kv=280,
    ),
}
