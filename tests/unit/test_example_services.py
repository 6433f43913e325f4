"""The example of services fits together with the files beside it."""

from __future__ import annotations

from pathlib import Path

from linacre.declaration.load import load
from linacre.kinds.image import facility_images

EXAMPLE = Path(__file__).parents[2] / "examples/services"


def test_the_example_loads_and_needs_four_images_beside_the_iocs() -> None:
    declaration = load(EXAMPLE / "facility.yaml")
    services = declaration.facility.services
    assert services.keys() == {"boot", "db", "build", "wiki"}
    assert len({recipe.digest() for recipe in facility_images(declaration)}) == 5
    for name, service in services.items():
        assert service.description, name
        assert service.owner, name
        assert service.ports, name


def test_every_file_is_used() -> None:
    services = load(EXAMPLE / "facility.yaml").facility.services.values()
    named = {file.source for service in services for file in service.files.values()} - {None}
    there = {str(p.relative_to(EXAMPLE)) for p in (EXAMPLE / "services").glob("*") if p.is_file()}
    assert named == there
