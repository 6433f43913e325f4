"""What history is made of: kept contents, trees, differences, and what is told of them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.catalogue.model import Duplicate, NewState, State
from linacre.declaration.editing import edit
from linacre.declaration.load import load
from linacre.documents.document import parse
from linacre.kinds.ioc.differences import Change, differing
from linacre.kinds.ioc.file_tree import TreeFile, folder_tree, lay_tree, without
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.recording import told_duplicates
from linacre.operations.history.states import (
    difference,
    entry_of,
    keep_tree,
    kept_tree,
    origin_parts,
)
from linacre.session.catalogue_access import known_facility
from linacre.session.state import FacilityNote, Standing, read_note, write_note


def state(**files: object) -> State:
    who = NewState("a", "up", 1, "user", 1.0, source="", revision="", digest="", settings="")
    return State(**vars(replace(who, files=files)), number=1)  # type: ignore[arg-type]


def test_a_content_is_kept_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path / "files")
    digest = kept.keep(b"record")
    assert kept.keep(b"record") == digest
    assert kept.content(digest) == b"record"
    (path,) = [p for p in (tmp_path / "files").rglob("*") if p.is_file()]
    assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "files").stat().st_mode & 0o077 == 0


def test_a_content_that_is_gone_or_damaged_is_not_taken_for_whole(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path)
    digest = kept.keep(b"record")
    (path,) = [p for p in tmp_path.rglob("*") if p.is_file()]
    path.write_bytes(b"other")
    with pytest.raises(LinacreError, match="is damaged"):
        kept.content(digest)
    path.unlink()
    with pytest.raises(LinacreError, match="not kept on this host"):
        kept.content(digest)


def test_a_full_disk_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LinacreError, match="No space left on device; make room"):
        KeptFiles(tmp_path).keep(b"record")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_tree_is_kept_and_comes_back_as_it_was(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path)
    tree = {
        "st.cmd": TreeFile(0o755, b"iocInit\n"),
        "db": TreeFile(0o777, link="../db"),
        "empty": TreeFile(0o644),
    }
    assert kept_tree(state(**keep_tree(tree, kept)), kept) == tree


def test_a_folder_is_brought_from_one_tree_to_another(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.db").write_text("old")
    (tmp_path / "gone").write_text("x")
    (tmp_path / "link").symlink_to("sub")
    old = folder_tree(tmp_path)
    new = {
        "sub/a.db": TreeFile(0o644, b"new"),
        "run": TreeFile(0o755, b"#!"),
        "link": TreeFile(0o777, link="other"),
    }
    (tmp_path / "autosave").mkdir()
    (tmp_path / "autosave/set.sav").write_text("1")
    lay_tree(tmp_path, old=old, new=new)
    found = folder_tree(tmp_path)
    assert found.pop("autosave/set.sav").content == b"1"
    assert found == new


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(LinacreError, match=r"a cannot be written"):
        lay_tree(tmp_path, old={}, new={"a": TreeFile(0o644, b"x")})


def test_persistent_folders_are_left_out() -> None:
    tree = {"autosave/x": TreeFile(0o644), "autosaved": TreeFile(0o644)}
    assert [*without(tree, [PurePosixPath("autosave")])] == ["autosaved"]


def test_a_difference_names_each_file_and_hides_secrets() -> None:
    before = {"a": TreeFile(0o644, b"1\n"), "b": TreeFile(0o644, b"2\n")}
    after = {"a": TreeFile(0o644, b"password=hunter2\n"), "c": TreeFile(0o777, link="a")}
    text = difference(before, after, sides=("state 1", "new"))
    assert "changed: a" in text and "removed: b" in text and "added: c" in text
    assert "+link to a" in text and "hunter2" not in text
    long = {"a": TreeFile(0o644, b"line\n" * 30_000)}
    assert "cut here" in difference({}, long, sides=("state 1", "new"))


def test_binary_files_are_told_by_their_size() -> None:
    (found,) = differing({"x": b"\0a"}, {"x": b"\0abc"}, sides=("running", "declared"))
    assert found.change is Change.CHANGED
    assert found.text == "x: binary or large: running 2 bytes, declared 4 bytes\n"


@pytest.mark.parametrize(
    ("origin", "parts"),
    [
        ("/srv/iocs/a", ("/srv/iocs/a", "")),
        ("/srv/iocs (old)/a", ("/srv/iocs (old)/a", "")),
        ("https://g/x.git main (0123456789)", ("https://g/x.git", "0123456789")),
        ("module caproto.ioc_examples.simple", ("module caproto.ioc_examples.simple", "")),
        ("", ("", "")),
    ],
)
def test_an_origin_is_a_source_and_a_commit(origin: str, parts: tuple[str, str]) -> None:
    assert origin_parts(origin) == parts


def test_of_many_duplicates_the_first_are_told() -> None:
    one = Duplicate("X", ("a", "b"))
    assert told_duplicates([one]) == ["X is served by a and b: clients reach either of them"]
    assert told_duplicates([one] * 5)[-1] == "2 more PVs are served twice: see linacre doctor"


def note(state: StatePaths, name: str, file: Path, catalogue: str | None = None) -> None:
    new = FacilityNote(
        facility=name, file=file, engine="process", standing=Standing.UP, catalogue=catalogue
    )
    write_note(state.facility(name), new)


def test_a_catalogue_is_found_without_the_facility_file(tmp_path: Path) -> None:
    state = StatePaths(tmp_path / "state")
    file = tmp_path / "facility.yaml"
    file.write_text("nothing that could be loaded: [")
    note(state, "one", file)
    with pytest.raises(LinacreError, match="one has no catalogue on this host"):
        known_facility(file, state=state, folder=tmp_path)
    state.facility("one").catalogue.touch()
    assert known_facility(None, state=state, folder=tmp_path).name == "one"
    note(state, "two", tmp_path / "other.yaml", "postgresql://u@db/x")
    found = known_facility(tmp_path / "other.yaml", state=state, folder=tmp_path)
    assert (found.name, found.catalogue) == ("two", "postgresql://u@db/x")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkey = StatePaths(tmp_path / "none")
    with pytest.raises(UserError):
        known_facility(None, state=monkey, folder=empty)


def test_a_catalogue_that_the_file_names_since_is_the_one_that_is_asked(tmp_path: Path) -> None:
    state, file = StatePaths(tmp_path / "state"), tmp_path / "facility.yaml"
    text = "facility: one\nnetworks: {controls: {subnet: 10.0.0.0/24}}\ncatalogue: {}\niocs: {}\n"
    noted, named = "postgresql://u@db/noted", "postgresql://u@db/named"
    file.write_text(text.replace("{}", named, 1))
    os.utime(file, (1, 1))
    note(state, "one", file, noted)

    def asked() -> Path | str:
        return known_facility(file, state=state, folder=tmp_path).catalogue

    assert asked() == noted, "the note is the newer one"
    os.utime(file)
    assert asked() == named
    file.write_text("nothing that could be loaded: [")
    assert asked() == noted


def test_a_note_of_a_newer_linacre_is_refused_whatever_is_in_it(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path).facility("one")
    paths.root.mkdir(parents=True)
    (paths.root / "facility.json").write_text('{"format": 7, "unheard": ["of"]}')
    with pytest.raises(LinacreError, match=r"kept by a newer Linacre \(format 7, .* up to 1\)"):
        read_note(paths)
    (paths.root / "facility.json").write_text('{"facility": 3}')
    with pytest.raises(LinacreError, match="cannot be read"):
        read_note(paths)


def test_the_facility_file_is_taken_apart_once_for_all_its_iocs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each parse costs as much as there are IOCs."""
    parsed: list[str] = []
    for name in ("parse", "pieces"):
        real = getattr(edit, name)
        monkeypatch.setattr(
            edit, name, lambda text, real=real: (parsed.append(text), real(text))[1]
        )
    block = "facility: f\nnetworks: {controls: {subnet: 10.0.0.0/24}}\niocs:\n"
    for n in range(20):
        (tmp_path / f"i{n}").mkdir()
        (tmp_path / f"i{n}/st.cmd").write_text("iocInit\n")
        block += f"  i{n}: {{kind: softioc, source: i{n}, address: 10.0.0.{n + 10}}}\n"
    file = tmp_path / "facility.yaml"
    flow = json.dumps(parse(block).data)
    for text, most in ((block, 1), (flow, 2)):
        parsed.clear()
        declaration = load(file, text=text)
        assert "10.0.0.12" in entry_of(declaration, "i2")
        for n in range(20):
            assert f"i{n}" in entry_of(declaration, f"i{n}")
        assert len(parsed) <= most
