"""Writing a changed facility file: whole or not at all, and never over another's change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.editing.rewrite import draft
from linacre.declaration.load import LoadError, load

TEXT = """\
# Ours.
facility: x
networks: {c: {subnet: 10.1.0.0/24}}
iocs:
  a:
    kind: python
    module: one
    address: 10.1.0.11
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "facility.yaml"
    file.write_text(TEXT)
    return file


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_change_keeps_mode_owner_and_link(file: Path, tmp_path: Path) -> None:
    file.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(file, 1234, 4321)
    before = file.stat()
    link = tmp_path / "elsewhere" / "facility.yaml"
    link.parent.mkdir()
    link.symlink_to("../facility.yaml")
    found = draft(load(link))
    declared = found.write(found.text.rename_ioc("a", "b"))
    assert [*declared.facility.iocs] == ["b"]
    assert link.is_symlink()
    assert file.read_text() == TEXT.replace("  a:", "  b:")
    after = file.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        *(before.st_mode, before.st_uid, before.st_gid),
    )
    assert names(tmp_path) == ["elsewhere", "facility.yaml"]


def test_a_byte_order_mark_stays(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    found = draft(load(file))
    found.write(found.text.rename_ioc("a", "b"))
    assert file.read_bytes() == b"\xef\xbb\xbf" + TEXT.replace("  a:", "  b:").encode()


def test_what_would_be_wrong_is_not_written(file: Path, tmp_path: Path) -> None:
    found = draft(load(file))
    entry = "b:\n  kind: python\n  module: two\n  address: 10.1.0.11\n"
    with pytest.raises(LoadError, match=r"facility.yaml:12: iocs.b.address: 10.1.0.11 is also"):
        found.write(found.text.add("b", entry))
    assert file.read_text() == TEXT
    assert names(tmp_path) == ["facility.yaml"]


def test_a_file_with_faults_is_refused_with_them(file: Path) -> None:
    declaration = load(file)
    file.write_text(TEXT.replace("module", "modul"))
    with pytest.raises(LoadError, match="write module"):
        draft(declaration)


def test_a_change_by_somebody_else_is_kept(file: Path, tmp_path: Path) -> None:
    found = draft(load(file))
    file.write_text(TEXT + "# theirs\n")
    with pytest.raises(LinacreError, match="was changed by somebody else meanwhile"):
        found.write(found.text.rename_ioc("a", "b"))
    assert file.read_text() == TEXT + "# theirs\n"
    assert names(tmp_path) == ["facility.yaml"]


def test_a_file_that_may_not_be_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere, so what the kernel would say to others is said for it.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != file)
    with pytest.raises(UserError, match="may not be written by this user"):
        draft(load(file))
