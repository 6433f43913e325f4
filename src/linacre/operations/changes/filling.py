"""A template with its settings filled in: an entry of the facility file, and an IOC's own files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import EnclosedFolder, Entry, Kind, UnsafeNameError, read_given, walk
from linacre.base.errors import LinacreError, UserError
from linacre.declaration.ioc_templates import PLACE, Template, filled
from linacre.declaration.sources import LEFT_OUT, SOURCE_LIMITS
from linacre.declaration.yaml_nodes import Kind as NodeKind
from linacre.declaration.yaml_nodes import Piece, pieces
from linacre.declaration.yaml_text import scalar, stretched
from linacre.documents.quoting import quoted

_GIT_URL = re.compile(r"((?:https?|ssh|git|file)://\S+?|[\w.-]+@[\w.-]+:\S+?)(?:#(\S+))?")


def filled_entry(template: Template, values: Mapping[str, str], *, step: int) -> str:
    """Return the entry that a template makes, indented by steps of so many columns."""
    text = template.entry
    root = pieces(text)
    assert root is not None
    changes = [
        (each.start, each.end, _scalar(each, values))
        for each in root.walk()
        if each.kind is NodeKind.SCALAR and each.anchor is None and PLACE.search(each.value)
    ]
    entry = root.items[0][1]
    source = entry.get("source")
    if source is not None and source[1].kind is NodeKind.SCALAR:
        value = filled(source[1].value, values)
        if (git := _GIT_URL.fullmatch(value)) is not None:
            changes = [change for change in changes if change[0] != source[1].start]
            changes.append((source[1].start, source[1].end, _git(git)))
    found, at = "", 0
    for start, end, new in sorted(changes):
        # Between the values there are comments, which may speak of the settings too.
        found += filled(text[at:start], values) + new
        at = end
    return stretched(found + filled(text[at:], values), step=step)


def _scalar(piece: Piece, values: Mapping[str, str]) -> str:
    new = filled(piece.value, values)
    return json.dumps(new, ensure_ascii=False) if piece.style in ("|", ">") else scalar(new)


def _git(found: re.Match[str]) -> str:
    if found[2] is None:
        raise UserError(
            f"{quoted(found[1])} needs a revision; write it behind the URL, such as {found[1]}#v1.2"
        )
    return f"{{git: {json.dumps(found[1])}, revision: {scalar(found[2])}}}"


def fill_files(template: Template, values: Mapping[str, str], target: Path) -> bool:
    """Write the files of a template into a folder that is not there yet; whole or not at all.

    Returns whether it made the folder: it brings no files, or the same ones stand there already
    from a command that was cut short. Raises `UserError` for other files there.
    """
    if template.files is None:
        return False
    new = _beside(target)
    try:
        shutil.rmtree(new, ignore_errors=True)
        _copy(template.files, new, lambda text: filled(text, values))
        return _put(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def copy_files(source: Path, target: Path) -> bool:
    """Copy an IOC's own files to a folder that is not there yet, as `fill_files` does."""
    new = _beside(target)
    try:
        shutil.rmtree(new, ignore_errors=True)
        _copy(source, new)
        return _put(new, target)
    except (OSError, UnsafeNameError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LinacreError(f"{source} cannot be copied: {said}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.new")


def _put(new: Path, target: Path) -> bool:
    if not target.exists():
        new.rename(target)
        return True
    if target.is_dir() and same_files(new, target):
        return False
    raise UserError(f"{target} is there already; choose another name, or move it away")


def same_files(one: Path, other: Path) -> bool:
    """Tell whether two folders hold the same, but for what no IOC gets."""
    both = one.resolve(), other.resolve()
    mine, its = ({each.path: each for each in _files_of(top)} for top in both)
    alike = mine.keys() == its.keys() and all(_look_alike(mine[path], its[path]) for path in mine)
    files = (path for path, each in mine.items() if each.kind is Kind.FILE)
    return alike and all(_content(both[0], path) == _content(both[1], path) for path in files)


def _look_alike(one: Entry, other: Entry) -> bool:
    alike = (one.kind, one.link, one.size_bytes) == (other.kind, other.link, other.size_bytes)
    return alike and one.kind is not Kind.OTHER


def _files_of(top: Path) -> Iterator[Entry]:
    return (
        each for each in walk(top, SOURCE_LIMITS, skip=LEFT_OUT) if each.path.name not in LEFT_OUT
    )


def _content(top: Path, path: PurePosixPath) -> bytes:
    return read_given(top / path, limit=SOURCE_LIMITS.size_bytes)


def _copy(source: Path, target: Path, fill: Callable[[str], str] = str) -> None:
    """Copy a folder, with the names and the texts in it filled in."""
    top, place = source.resolve(), EnclosedFolder(target)
    target.mkdir(parents=True)
    for each in _files_of(top):
        path = PurePosixPath(fill(str(each.path)))
        match each.kind:
            case Kind.FOLDER:
                place.folder(path)
            case Kind.LINK:
                place.link(path, fill(each.link))
            case Kind.FILE:
                content = _filled_content(_content(top, each.path), fill)
                place.write(path, content, mode=each.mode & 0o777, durable=False)
            case Kind.OTHER:
                raise UnsafeNameError(f"{top / each.path} is no plain file")


def _filled_content(data: bytes, fill: Callable[[str], str]) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return data if "\0" in text else fill(text).encode()
