"""A camera of a machine: images only of some pulses, of darkness without its screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from arriving import arrival

from linacre.accelerator.instruments.cameras import Camera
from linacre.accelerator.instruments.images import take_image
from linacre.accelerator.instruments.views import CameraView, View, Watch
from linacre.accelerator.shots import Shot

NAME = "CLA-S02-DIA-CAM-01"
WATCH = Watch(acquiring=True, inserted=True)


def views(watch: Watch, *, rate_hz: float = 100.0, pulses: int = 200) -> list[View]:
    camera = CameraView(NAME, Camera(model="MANTA", binning=16), particles=500)
    found = (
        camera.at(arrival(), watch, shot=Shot(1, pulse), pulse_s=pulse / rate_hz)
        for pulse in range(pulses)
    )
    return [each for each in found if each is not None]


def test_ten_images_a_second_of_a_hundred_pulses() -> None:
    found = views(WATCH)
    assert [each.pulse for each in found] == [*range(0, 200, 10)]
    assert [each.values["SIM:IMAGE"] for each in found] == [*map(float, range(0, 200, 10))]


def test_none_while_it_does_not_acquire_and_fewer_on_request() -> None:
    assert views(replace(WATCH, acquiring=False)) == []
    assert len(views(replace(WATCH, period_s=0.5))) == 4
    assert len(views(replace(WATCH, period_s=0.01))) == 20


def test_without_its_screen_it_sees_darkness() -> None:
    dark = views(replace(WATCH, inserted=False), pulses=1)[0]
    assert dark.analysis is not None and dark.analysis.spot is None
    assert set(dark.values) == {"SIM:IMAGE", "ANA:Intensity_RBV", "ANA:AvgIntensity_RBV"}
    bright = views(WATCH, pulses=1)[0]
    assert bright.values["ANA:Intensity_RBV"] > 100 * dark.values["ANA:Intensity_RBV"]


def test_an_image_is_that_of_its_shot() -> None:
    camera = Camera(model="MANTA", binning=16)
    view = views(replace(WATCH, gain=0.5))[3]
    again = take_image(
        arrival(), camera, shot=Shot(1, view.pulse), element=NAME, gain=0.5, count=500
    )
    assert view.image.pixels.tobytes() == again.pixels.tobytes()


def test_what_is_not_analysed_has_a_number_alone() -> None:
    assert views(replace(WATCH, analysis=None), pulses=1)[0].values == {"SIM:IMAGE": 0.0}


@pytest.mark.parametrize("pulses", [1, 7])
def test_the_first_pulse_of_an_acquisition_is_taken(pulses: int) -> None:
    assert views(WATCH, pulses=pulses)[0].pulse == 0
