"""The images that machines are made from: their recipes and digests, and having them ready."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from linacre.base.errors import UserError
from linacre.declaration.load import Declaration
from linacre.engines.base import Capability
from linacre.images.recipe import Recipe
from linacre.kinds.registry import KINDS, Kinds, kinds_of
from linacre.session.session import FacilityHandle, Session

_RECIPE, _ARCHIVER = "ioc", "archiver"


def image_digest(handle: FacilityHandle) -> str | None:
    """Return the digest of the present image of IOCs and desks; None for an engine without any."""
    has_images = Capability.FILE_SYSTEM in handle.engine.capabilities()
    return base_recipe().digest() if has_images else None


def base_recipe() -> Recipe:
    """Return the recipe of the image of IOCs, desks and services without packages."""
    return Recipe.load(_RECIPE)


@cache
def archiver_recipe() -> Recipe:
    """Return the recipe of the image of archivers."""
    return Recipe.load(_ARCHIVER)


def facility_images(declaration: Declaration, kinds: Kinds = KINDS) -> list[Recipe]:
    """Return the recipes of all images that the facility's machines need, the IOCs' first."""
    found = [kind.recipe(item) for kind, _, item in kinds.programs(declaration.facility)]
    return _once([base_recipe(), *(recipe for recipe in found if recipe is not None)])


def possible_images(declaration: Declaration, kinds: Kinds = KINDS) -> list[Recipe]:
    """Return the recipes of those images and of those made on demand, such as archivers'."""
    on_demand = [kind.recipe_on_demand() for kind in kinds]
    found = facility_images(declaration, kinds)
    return _once([*found, *(recipe for recipe in on_demand if recipe is not None)])


def _once(recipes: list[Recipe]) -> list[Recipe]:
    return [*{(recipe.added, recipe.over): recipe for recipe in recipes}.values()]


async def have_image(
    session: Session, digest: str | None = None, *, report: Callable[[str], None]
) -> Path:
    """Return the folder of an image, built where it is not there yet; without a digest, the IOCs'.

    Raises `UserError` with file and line for a package that Debian does not have.
    """
    # Only who builds has a use for what builds.
    from linacre.images.apt import NoSuchPackageError
    from linacre.images.build import build_image

    possible = possible_images(session.declaration, kinds_of(session))
    recipes = {recipe.digest(): recipe for recipe in possible}
    recipe = base_recipe() if digest is None else recipes[digest]
    try:
        built = await build_image(
            recipe,
            images=session.state.images,
            downloads=session.state.downloads,
            report=report,
        )
    except NoSuchPackageError as error:
        raise UserError(f"{_where(session, error.package)}{error}") from error
    return built.path


def _where(session: Session, package: str) -> str:
    """Return the place of a package in the facility file, for a message; nothing for our own."""
    declaration = session.declaration
    for kind, section in kinds_of(session).declared:
        for name, item in kind.declared(declaration.facility).items():
            if package in (packages := kind.packages(item)):
                key = (section.key, name, "packages", packages.index(package))
                return f"{declaration.where(*key)}: {section.key}.{name}.packages: "
    return ""
