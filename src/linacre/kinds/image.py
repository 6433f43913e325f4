"""The images that machines are made from: their recipes and digests, and having them ready."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from linacre.base.errors import UserError
from linacre.declaration.load import Declaration
from linacre.declaration.models import Service
from linacre.engines.base import Capability
from linacre.images.apt import NoSuchPackageError
from linacre.images.build import build_image
from linacre.images.recipe import Recipe
from linacre.session.session import FacilityHandle, Session

_RECIPE, _ARCHIVER = "ioc", "archiver"


def image_digest(handle: FacilityHandle) -> str | None:
    """Return the digest of the present image of IOCs and desks; None for an engine without any."""
    has_images = Capability.FILE_SYSTEM in handle.engine.capabilities()
    return base_recipe().digest() if has_images else None


def base_recipe() -> Recipe:
    """Return the recipe of the image of IOCs, desks and services without packages."""
    return Recipe.load(_RECIPE)


def service_recipe(service: Service) -> Recipe:
    """Return the recipe of a service's image: the IOCs' with the service's packages."""
    return base_recipe().with_packages(service.packages)


@cache
def archiver_recipe() -> Recipe:
    """Return the recipe of the image of archivers."""
    return Recipe.load(_ARCHIVER)


def facility_images(declaration: Declaration) -> list[Recipe]:
    """Return the recipes of all images that the facility's machines need, the IOCs' first."""
    services = declaration.facility.services.values()
    recipes = [base_recipe(), *(service_recipe(each) for each in services)]
    if declaration.facility.archivers:
        recipes.append(archiver_recipe())
    return [*{(recipe.added, recipe.over): recipe for recipe in recipes}.values()]


def possible_images(declaration: Declaration) -> list[Recipe]:
    """Return the recipes of those images and of archivers', of which one is made on demand."""
    found = facility_images(declaration)
    return found if declaration.facility.archivers else [*found, archiver_recipe()]


async def have_image(
    session: Session, digest: str | None = None, *, report: Callable[[str], None]
) -> Path:
    """Return the folder of an image, built where it is not there yet; without a digest, the IOCs'.

    Raises `UserError` with file and line for a package that Debian does not have.
    """
    recipes = {recipe.digest(): recipe for recipe in possible_images(session.declaration)}
    recipe = base_recipe() if digest is None else recipes[digest]
    try:
        built = await build_image(
            recipe,
            images=session.state.images,
            downloads=session.state.downloads,
            report=report,
        )
    except NoSuchPackageError as error:
        raise UserError(f"{_where(session.declaration, error.package)}{error}") from error
    return built.path


def _where(declaration: Declaration, package: str) -> str:
    """Return the place of a package in the facility file, for a message; nothing for our own."""
    for name, service in declaration.facility.services.items():
        if package in service.packages:
            key = ("services", name, "packages", service.packages.index(package))
            return f"{declaration.where(*key)}: services.{name}.packages: "
    return ""
