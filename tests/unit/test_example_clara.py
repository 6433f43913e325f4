"""The example's facility file and the files beside it fit together."""

from __future__ import annotations

from pathlib import Path

from linacre.declaration.load import load
from linacre.declaration.models import FolderSource, PythonIoc

CLARA = Path(__file__).parents[2] / "examples/clara"
IOCS = CLARA / "iocs"

# Each IOC's files are copied into its machine, so these folders hold the same templates.
COPIES = (
    ("s02-mag/db", "magnets/db", ("magnet.template", "supply.template", "section.db")),
    ("s02-scr/db", "s01-scr/db", ("axis.template", "pair.template", "short_names.template")),
)


def test_facility_loads_with_all_its_files() -> None:
    facility = load(CLARA / "facility.yaml").facility
    assert len(facility.iocs) == 15
    assert {"s02-mag", "s02-bpm", "s02-scr", "timing", "vac", "gun-rf"} <= facility.iocs.keys()
    for name, ioc in facility.iocs.items():
        assert ioc.owner, name
        assert ioc.area, name
        assert ioc.description, name


def test_few_iocs_are_programs() -> None:
    facility = load(CLARA / "facility.yaml").facility
    programs = [name for name, ioc in facility.iocs.items() if isinstance(ioc, PythonIoc)]
    assert len(programs) <= 4


def test_every_folder_is_used() -> None:
    facility = load(CLARA / "facility.yaml").facility
    sources = [ioc.source for ioc in facility.iocs.values()]
    used = {Path(source.folder).name for source in sources if isinstance(source, FolderSource)}
    assert used == {folder.name for folder in IOCS.iterdir() if folder.is_dir()}


def test_templates_that_are_in_two_folders_are_the_same() -> None:
    for one, other, names in COPIES:
        for name in names:
            assert (IOCS / one / name).read_text() == (IOCS / other / name).read_text(), name
