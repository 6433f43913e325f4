"""When a camera takes an image: of the pulses that come, only as many as it can."""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST_HZ = 10.0


@dataclass(frozen=True)
class Pacing:
    """The state between pulses; it changes by being replaced."""

    most_hz: float = MOST_HZ
    next_s: float | None = None
    """When the next image is due; at once where it is not known."""
    pulse_s: float | None = None
    """When the last pulse was, with an image or without."""

    def at(self, pulse_s: float, *, acquiring: bool) -> tuple[bool, Pacing]:
        """Tell whether an image is taken of a pulse, and return the state behind it.

        The time is that of the pulse on any one clock. A pulse that comes a little early still
        counts, so that pulses at the very rate are all taken, however they jitter; over a long
        time there are never more than `most_hz`.
        """
        period = 1 / self.most_hz
        after = replace(self, pulse_s=pulse_s)
        if not acquiring:
            return False, after
        early = self._early(pulse_s, period)
        if self.next_s is None or pulse_s < self.next_s - 2 * period:
            # The first one, or the clock was put back.
            return True, replace(after, next_s=pulse_s + period)
        if pulse_s < self.next_s - early:
            return False, after
        late = pulse_s > self.next_s + early
        return True, replace(after, next_s=(pulse_s if late else self.next_s) + period)

    def _early(self, pulse_s: float, period: float) -> float:
        """Return by how much a pulse may come early: no pulse before it would be nearer."""
        if self.pulse_s is None:
            return 0.0
        return min(period / 5, max(0.0, pulse_s - self.pulse_s) / 2)
