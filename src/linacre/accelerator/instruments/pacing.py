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

    def at(self, pulse_s: float, *, acquiring: bool) -> tuple[bool, Pacing]:
        """Tell whether an image is taken of a pulse, and return the state behind it.

        The time is that of the pulse on any one clock. A pulse that comes a little early still
        counts, so that pulses at the very rate are all taken, however they jitter; over a long
        time there are never more than `most_hz`.
        """
        if not acquiring:
            return False, self
        period = 1 / self.most_hz
        early = period / 5
        if self.next_s is None or pulse_s < self.next_s - period - early:
            # The first one, or the clock was put back.
            return True, replace(self, next_s=pulse_s + period)
        if pulse_s < self.next_s - early:
            return False, self
        late = pulse_s > self.next_s + early
        return True, replace(self, next_s=(pulse_s if late else self.next_s) + period)
