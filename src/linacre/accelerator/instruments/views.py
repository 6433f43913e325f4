"""A camera in front of its screen, pulse by pulse: when it takes an image, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from linacre.accelerator.instruments.analyses import Analysis, AnalysisSettings, analyse
from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.instruments.cameras import Camera
from linacre.accelerator.instruments.clouds import Opening
from linacre.accelerator.instruments.images import PARTICLES, Image, take_image
from linacre.accelerator.instruments.pacing import MOST_HZ, Pacing
from linacre.accelerator.shots import Shot

_USUAL = AnalysisSettings()


@dataclass(frozen=True)
class Watch:
    """What a camera is told: its set points, and where its screen is."""

    acquiring: bool
    inserted: bool
    """Whether the screen that shines is in the beam; without it there is darkness."""
    gain: float = 1.0
    period_s: float = 0.0
    """Between two images, at least; there are never more than ten a second."""
    analysis: AnalysisSettings | None = _USUAL
    """None where images are not analysed."""


@dataclass(frozen=True)
class View:
    """An image that was taken, and of which pulse."""

    pulse: int
    image: Image
    analysis: Analysis | None

    @property
    def values(self) -> dict[str, float]:
        """What goes into PVs, by suffix; the number of the image is that of its pulse."""
        found = {"SIM:IMAGE": float(self.pulse)}
        return found if self.analysis is None else found | self.analysis.values


class CameraView:
    """A camera of a machine. It keeps nothing from pulse to pulse but when it took an image."""

    def __init__(
        self,
        name: str,
        camera: Camera,
        *,
        openings: Sequence[Opening] = (),
        particles: int = PARTICLES,
    ) -> None:
        self.name = name
        self.camera = camera
        self._openings = tuple(openings)
        self._particles = particles
        self._pacing = Pacing()

    def at(self, arrival: Arrival, watch: Watch, *, shot: Shot, pulse_s: float) -> View | None:
        """Return what it takes of a pulse at a time; None where it takes nothing.

        The image is a pure function of the beam, the settings and the shot.
        """
        most_hz = min(MOST_HZ, 1 / watch.period_s) if watch.period_s > 0 else MOST_HZ
        taken, self._pacing = replace(self._pacing, most_hz=most_hz).at(
            pulse_s, acquiring=watch.acquiring
        )
        if not taken:
            return None
        seen = arrival if watch.inserted else Arrival(arrival.beam, 0.0)
        image = take_image(
            seen,
            self.camera,
            shot=shot,
            element=self.name,
            openings=self._openings,
            gain=watch.gain,
            count=self._particles,
        )
        found = None if watch.analysis is None else analyse(image, watch.analysis)
        return View(shot.pulse, image, found)
