"""The image that machines are made from: its digest, and having it ready."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from linacre.engines.base import Capability
from linacre.facility.session import Place
from linacre.images.build import build_image
from linacre.images.recipe import Recipe

_RECIPE = "ioc"


def image_digest(place: Place) -> str | None:
    """Return the digest of the present image; None for an engine without images."""
    has_images = Capability.FILE_SYSTEM in place.engine.capabilities()
    return Recipe.load(_RECIPE).digest() if has_images else None


async def have_image(place: Place, *, report: Callable[[str], None]) -> Path:
    """Return the folder of the present image, built where it is not there yet."""
    built = await build_image(
        Recipe.load(_RECIPE),
        images=place.state.images,
        downloads=place.state.downloads,
        report=report,
    )
    return built.path
