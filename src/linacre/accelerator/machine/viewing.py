"""What the cameras of a machine see of its screens."""

from __future__ import annotations

from linacre.accelerator.instruments.analyses import analyse
from linacre.accelerator.instruments.arrivals import Arrival
from linacre.accelerator.instruments.cameras import Camera
from linacre.accelerator.instruments.images import take_image
from linacre.accelerator.instruments.views import View
from linacre.accelerator.lattice.elements import Screen
from linacre.accelerator.lattice.lattice import Lattice
from linacre.accelerator.model.passage import Passage
from linacre.accelerator.model.settings import DEVICE, Settings
from linacre.accelerator.shots import Shot
from linacre.base.errors import UserError
from linacre.documents.quoting import one_of


class Cameras:
    """The cameras of a lattice, by their names: each looks at one screen."""

    def __init__(self, lattice: Lattice, *, camera: Camera | None = None) -> None:
        self._camera = camera or Camera()
        self._screens = {
            each.data.camera: (each.index, each.data)
            for each in lattice
            if isinstance(each.data, Screen) and each.data.camera is not None
        }

    def view(
        self, camera: str, passage: Passage, settings: Settings, shot: Shot, *, gain: float
    ) -> View:
        """Return what a camera sees of a pulse: darkness where nothing that shines is in.

        Raises `UserError` for a camera that there is not.
        """
        if camera not in self._screens:
            raise UserError(f"no camera {camera}; there are: {one_of(self._screens)}")
        index, screen = self._screens[camera]
        charge = float(passage.charge_c[index]) if _shines(screen, settings) else 0.0
        arrival = Arrival(passage.beam(index), charge)
        image = take_image(arrival, self._camera, shot=shot, element=camera, gain=gain)
        return View(shot.pulse, image, analyse(image))


def _shines(screen: Screen, settings: Settings) -> bool:
    return any(
        settings[axis.pv, DEVICE] in [axis.devices[each] for each in axis.shines]
        for axis in screen.axes
    )
