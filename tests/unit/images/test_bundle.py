import dataclasses
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.images.bundle import (
    PACKAGES,
    Manifest,
    PartFiles,
    image_part,
    source_part,
    write_bundle,
)
from linacre.images.bundle_contents import Checkout
from linacre.images.bundle_unpack import unpack

MANIFEST = Manifest(
    linacre="1.2.3",
    checkout="0123456789abcdef",
    release="bookworm",
    architecture="amd64",
    python="3.11",
    facility="trial",
)


def silent(_: str) -> None:
    pass


@pytest.fixture
def parts(tmp_path: Path) -> list[PartFiles]:
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "rootfs.squashfs").write_bytes(b"squash" * 5000)
    (folder / "metadata.tar").write_bytes(b"metadata")
    (folder / "a.deb").write_bytes(b"deb")
    image = [(name, folder / name) for name in ("metadata.tar", "rootfs.squashfs")]
    return [
        PartFiles(PACKAGES, "packages", [("a.deb", folder / "a.deb")]),
        PartFiles(image_part("feed"), "image feed", image),
    ]


@pytest.fixture
def bundle(tmp_path: Path, parts: list[PartFiles]) -> Path:
    file = tmp_path / "trial.bundle"
    write_bundle(file, MANIFEST, parts, report=silent)
    return file


@pytest.fixture
def state(tmp_path: Path) -> StatePaths:
    return StatePaths(tmp_path / "state")


def test_a_manifest_is_read_as_it_was_written(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        names = archive.getnames()
        manifest = archive.extractfile("manifest")
        assert manifest is not None
        found = Manifest.parse(manifest.read().decode())
    assert names == ["manifest", "packages.tar", "image-feed.tar"]
    assert found is not None
    assert dataclasses.replace(found, parts=()) == MANIFEST
    assert [part.image for part in found.parts] == [None, "feed"]


@pytest.mark.parametrize("change", [("trial", "trials"), ("\nend", "\nmore 1\nend"), ("end", "en")])
def test_a_changed_manifest_is_not_taken(change: tuple[str, str]) -> None:
    assert Manifest.parse(MANIFEST.text()) == MANIFEST
    assert Manifest.parse(MANIFEST.text().replace(*change)) is None
    assert Manifest.parse("") is None


def test_the_same_parts_give_the_same_bundle(
    bundle: Path, tmp_path: Path, parts: list[PartFiles]
) -> None:
    for _, path in parts[1].files:
        path.touch()
    write_bundle(tmp_path / "again", MANIFEST, parts, report=silent)
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()


def test_an_image_is_taken_once(bundle: Path, state: StatePaths) -> None:
    assert unpack(bundle, state) == ["image feed (40 KiB)"]
    image = state.images / "feed"
    assert sorted(path.name for path in image.iterdir()) == ["metadata.tar", "rootfs.squashfs"]
    assert (image / "rootfs.squashfs").read_bytes() == b"squash" * 5000
    assert unpack(bundle, state) == []
    assert [path.name for path in state.images.iterdir()] == ["feed"]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20_000])


def flip(file: Path) -> None:
    data = file.read_bytes()
    place = data.index(b"squashsquash")
    file.write_bytes(data[:place] + b"S" + data[place + 1 :])


@pytest.mark.parametrize("damage", [cut, flip])
def test_a_damaged_part_is_named_and_nothing_of_it_taken(
    bundle: Path, state: StatePaths, damage: Callable[[Path], None]
) -> None:
    damage(bundle)
    with pytest.raises(LinacreError, match=r"its part image-feed.tar is cut or damaged; copy the"):
        unpack(bundle, state)
    assert list(state.images.iterdir()) == []


def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path, state: StatePaths) -> None:
    (tmp_path / "file").write_bytes(b"x" * 2000)
    with pytest.raises(LinacreError, match="file is no bundle of Linacre"):
        unpack(tmp_path / "file", state)


def test_nothing_is_written_where_there_is_no_room(
    tmp_path: Path, parts: list[PartFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=12_345))
    file = tmp_path / "new.bundle"
    with pytest.raises(
        LinacreError, match=r"new.bundle takes [\d.]+ MiB and its folder has 12 KiB free"
    ):
        write_bundle(file, MANIFEST, parts, report=silent)
    assert not list(tmp_path.glob("new.bundle*"))


def test_a_bundle_that_cannot_be_finished_leaves_the_old_one(
    bundle: Path, tmp_path: Path, parts: list[PartFiles]
) -> None:
    before = bundle.read_bytes()

    def fail(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(bundle, MANIFEST, parts, report=fail)
    assert bundle.read_bytes() == before
    assert not list(tmp_path.glob("*.new"))


def test_names_that_lead_elsewhere_are_not_followed(tmp_path: Path, state: StatePaths) -> None:
    (tmp_path / "x").write_text("x")
    evil = PartFiles(source_part("feed"), "evil", [("../../x", tmp_path / "x")])
    write_bundle(tmp_path / "evil", MANIFEST, [evil], report=silent)
    with pytest.raises(LinacreError, match=r"source-feed.tar is cut or damaged"):
        unpack(tmp_path / "evil", state)
    assert [path for path in state.root.rglob("*") if path.is_file()] == []


def test_an_installed_linacre_makes_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"run \./linacre bundle in its source folder"):
        Checkout.find({"LINACRE_CHECKOUT": str(tmp_path)})


def test_the_launcher_says_what_it_installs() -> None:
    found = Checkout.find({})
    assert {"python3", "procserv", "incus-base"} <= set(found.packages)
    assert found.late < set(found.packages)
    assert found.wheels.name.startswith("wheels-")
    manifest = found.manifest("trial")
    assert (len(manifest.checkout), manifest.facility) == (16, "trial")
