"""Images of services: the IOCs' with Debian packages beside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linacre.images.apt import Apt, NoSuchPackageError, fetch_archive
from linacre.images.recipe import Recipe


def test_packages_make_another_image_whatever_their_order() -> None:
    base = Recipe.load()
    one = base.with_packages(["mariadb-server", "dnsmasq"])
    assert one.digest() == base.with_packages(["dnsmasq", "mariadb-server", "dnsmasq"]).digest()
    assert one.digest() not in (base.digest(), base.with_packages(["dnsmasq"]).digest())
    assert one.name == "ioc with dnsmasq, mariadb-server"


def test_no_packages_or_those_of_the_base_make_the_same_image() -> None:
    base = Recipe.load()
    assert base.with_packages([]) == base
    assert base.with_packages(["less", "python3"]).digest() == base.digest()


def programs(folder: Path, *, simulate: str, status: int = 0, err: str = "") -> None:
    """Put an apt-get and an apt-cache of our own into a folder."""
    install = f"""case "$*" in
        *--simulate*) echo "{err}" >&2; printf "{simulate}"; exit {status} ;;
        *--download-only*) for p in a b; do : >> "$ARCHIVES/${{p}}_1_all.deb"; done ;;
        esac"""
    show = """for p in "$@"; do case $p in
        *=*) printf 'Package: %s\\nVersion: 1\\nFilename: x\\n\\n' "${p%=*}" ;;
        esac; done"""
    for name, text in {"apt-get": install, "apt-cache": show}.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    found = Apt(tmp_path / "apt")
    found.prepare([])
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("ARCHIVES", str(found.archives))
    (tmp_path / "log").touch()
    return found


async def fetch(apt: Apt, tmp_path: Path, name: str, *chosen: str) -> Path:
    return await fetch_archive(
        apt,
        chosen,
        archive=tmp_path / name,
        suite="trixie",
        log=tmp_path / "log",
        count=lambda _: None,
    )


@pytest.mark.parametrize(
    "said",
    [
        "E: Unable to locate package mariadb-sever",
        "E: Package 'mariadb-sever' has no installation candidate",
    ],
)
async def test_a_package_that_there_is_not_is_named(apt: Apt, tmp_path: Path, said: str) -> None:
    programs(tmp_path / "bin", simulate="", status=100, err=said)
    with pytest.raises(NoSuchPackageError, match="Debian trixie has no package mariadb-sever; "):
        await fetch(apt, tmp_path, "one", "mariadb-sever")


async def test_what_another_image_fetched_is_kept(apt: Apt, tmp_path: Path) -> None:
    line = "Inst %s (1 Debian:13/stable [all])\\n"
    programs(tmp_path / "bin", simulate=line % "a" + line % "b")
    await fetch(apt, tmp_path, "one", "a", "b")
    (apt.archives / "old_1_all.deb").touch()
    programs(tmp_path / "bin", simulate=line % "a")
    await fetch(apt, tmp_path, "two", "a")
    assert {p.name for p in apt.archives.glob("*.deb")} == {"a_1_all.deb", "b_1_all.deb"}
    assert {p.name for p in (tmp_path / "one").glob("*.deb")} == {"a_1_all.deb", "b_1_all.deb"}
