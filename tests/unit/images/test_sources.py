from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.images.sources import (
    AptSource,
    host_codename,
    parse_deb822,
    parse_one_line,
    read_sources,
    sources_for,
)

DEB822 = """\
# The archive.
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/site.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites:
 bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


def test_a_deb822_file_gives_its_enabled_sources() -> None:
    found = list(parse_deb822(DEB822))
    key = "/usr/share/keyrings/site.gpg"
    assert found == [
        AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib"), key),
        AptSource("http://mirror.example/debian", "bookworm-updates", ("main", "contrib"), key),
        AptSource("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    ]


def test_a_list_file_gives_its_binary_sources() -> None:
    text = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/security bookworm-security main
"""
    assert list(parse_one_line(text)) == [
        AptSource("http://mirror.example/debian", "bookworm", ("main", "contrib"), "/k.gpg"),
        AptSource("http://mirror.example/security", "bookworm-security", ("main",)),
    ]


def test_another_release_is_looked_for_on_the_same_archives() -> None:
    lines = [
        source.line() for source in sources_for("trixie", parse_deb822(DEB822), codename="bookworm")
    ]
    assert lines == [
        "deb [signed-by=/usr/share/keyrings/site.gpg] http://mirror.example/debian trixie main",
        "deb [signed-by=/usr/share/keyrings/site.gpg] http://mirror.example/debian "
        "trixie-updates main",
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        "http://mirror.example/debian-security trixie-security main",
    ]


def test_a_machine_without_a_debian_archive_is_told_so() -> None:
    with pytest.raises(UserError, match="no source of Debian jammy main"):
        sources_for("trixie", parse_deb822(DEB822), codename="jammy")


def test_all_of_apts_files_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example/debian trixie main\n")
    (folder / "b.sources").write_text(DEB822)
    (folder / "c.sources.disabled").write_text(DEB822)
    (folder / "d.list").write_text("deb http://d.example/debian trixie main\n")
    uris = [source.uri for source in read_sources(tmp_path)]
    assert uris[:2] == ["http://a.example/debian", "http://d.example/debian"]
    assert len(uris) == 5


def test_the_code_name_comes_from_os_release(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    assert host_codename(file) == "bookworm"
    file.write_text('NAME="Other"\n')
    with pytest.raises(UserError, match="no VERSION_CODENAME"):
        host_codename(file)
