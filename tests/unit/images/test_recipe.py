import shutil
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import linacre
from linacre.images import recipe as recipe_module
from linacre.images.recipe import Recipe
from linacre.images.wheel import pack_wheel

ROOT = Path(__file__).parents[3]


def copied(tmp_path: Path) -> Recipe:
    folder = tmp_path / "recipe"
    shutil.copytree(Recipe.load().folder, folder)
    return Recipe.load(folder=folder)


def pins(file: Path) -> set[str]:
    lines = file.read_text().splitlines()
    return {line.lower().replace("_", "-") for line in lines if line and line[0] != "#"}


def test_the_digest_is_the_same_wherever_the_recipe_stands(tmp_path: Path) -> None:
    assert copied(tmp_path).digest() == Recipe.load().digest()


@pytest.mark.parametrize(
    "name", ["recipe.toml", "requirements.txt", "customize", "files/etc/runit/1"]
)
def test_the_digest_changes_with_any_file_of_the_recipe(tmp_path: Path, name: str) -> None:
    recipe = copied(tmp_path)
    before = recipe.digest()
    file = recipe.folder / name
    file.write_text(file.read_text() + "\n")
    assert recipe.digest() != before


def test_editors_leftovers_do_not_change_the_digest(tmp_path: Path) -> None:
    recipe = copied(tmp_path)
    before = recipe.digest()
    (recipe.folder / ".customize.swp").write_text("x")
    (recipe.folder / "customize~").write_text("x")
    assert recipe.digest() == before


def test_the_digest_changes_with_what_runs_inside_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "linacre"
    source = Path(linacre.__file__).parent
    skip = shutil.ignore_patterns("__pycache__", "bin")
    for folder in ("base", "epics"):
        shutil.copytree(source / folder, package / folder, ignore=skip)
    shutil.copy(source / "__init__.py", package)
    monkeypatch.setattr(recipe_module.linacre, "__file__", str(package / "__init__.py"))
    recipe = Recipe.load()
    first = recipe.digest()
    (package / "epics" / "bin").mkdir()
    (package / "epics" / "bin" / "softIoc").write_bytes(b"compiled")
    assert recipe.digest() == first
    (package / "epics" / "new.py").write_text("")
    assert recipe.digest() != first


def test_the_image_has_the_pinned_versions_of_the_project() -> None:
    assert pins(Recipe.load().requirements[0]) <= pins(ROOT / "constraints.txt")


def test_the_recipe_names_no_archive() -> None:
    for file in Recipe.load().folder.rglob("*"):
        if file.is_file():
            assert "://" not in file.read_text(), file


def test_the_own_wheel_holds_what_runs_inside_machines_and_no_more(tmp_path: Path) -> None:
    wheel = pack_wheel(tmp_path, Recipe.load(), machine="x86_64")
    assert wheel.name == f"linacre-{linacre.__version__}-py3-none-linux_x86_64.whl"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        tops = {name.split("/")[1] for name in archive.namelist() if name.startswith("linacre/")}
    assert tops == {"__init__.py", "base", "epics"}


def test_the_archivers_image_has_the_pinned_versions_of_the_project() -> None:
    base, own = (pins(file) for file in Recipe.load("archiver").requirements)
    assert own <= pins(ROOT / "constraints.txt")
    assert base == pins(Recipe.load().requirements[0])
    assert not {pin.split("==")[0] for pin in own} & {pin.split("==")[0] for pin in base}


def test_the_archivers_image_has_all_that_its_packages_need() -> None:
    recipe = Recipe.load("archiver")
    there = {pin.split("==")[0] for file in recipe.requirements for pin in pins(file)}
    for name in sorted(there):
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for each in map(Requirement, needed):
            version = {"python_version": recipe.python, "python_full_version": f"{recipe.python}.0"}
            if each.marker is None or each.marker.evaluate({"extra": "", **version}):
                assert each.name.lower().replace("_", "-") in there | {"nose2"}, (name, str(each))


def test_the_image_of_iocs_has_nothing_of_archivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "linacre"
    source = Path(linacre.__file__).parent
    skip = shutil.ignore_patterns("__pycache__", "bin")
    for folder in ("base", "epics", "archiver"):
        shutil.copytree(source / folder, package / folder, ignore=skip)
    shutil.copy(source / "__init__.py", package)
    monkeypatch.setattr(recipe_module.linacre, "__file__", str(package / "__init__.py"))
    iocs, archivers = Recipe.load().digest(), Recipe.load("archiver").digest()
    (package / "archiver" / "bin").mkdir()
    (package / "archiver" / "bin" / "capture.so").write_bytes(b"compiled")
    assert (Recipe.load().digest(), Recipe.load("archiver").digest()) == (iocs, archivers)
    (package / "archiver" / "new.py").write_text("")
    assert Recipe.load().digest() == iocs
    assert Recipe.load("archiver").digest() != archivers


def test_the_archivers_wheel_holds_the_archiver_too(tmp_path: Path) -> None:
    wheel = pack_wheel(tmp_path, Recipe.load("archiver"), machine="x86_64")
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[1] for name in archive.namelist() if name.startswith("linacre/")}
    assert tops == {"__init__.py", "base", "epics", "archiver"}
