"""Every kind of fault, by what it befalls."""

from __future__ import annotations

from collections.abc import Mapping

from linacre.accelerator.faults.kinds import FaultKind
from linacre.accelerator.faults.table import (
    diagnostics,
    lasers,
    magnets,
    processes,
    radio_frequency,
    vacuum,
)

FAULTS: Mapping[str, FaultKind] = {
    kind.name: kind
    for part in (magnets, diagnostics, radio_frequency, lasers, vacuum, processes)
    for kind in part.KINDS
}
"""The kinds by their names, in the order in which they are told."""
