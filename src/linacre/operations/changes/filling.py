"""A template with its settings filled in: an entry of the facility file, and an IOC's own files."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.ioc_templates import PLACE, Template, filled
from linacre.declaration.yaml_nodes import Kind, Piece, pieces
from linacre.declaration.yaml_text import scalar, stretched
from linacre.documents.quoting import quoted

LEFT_OUT = (".git", ".svn", ".hg", "__pycache__")
_GIT_URL = re.compile(r"((?:https?|ssh|git|file)://\S+?|[\w.-]+@[\w.-]+:\S+?)(?:#(\S+))?")


def filled_entry(template: Template, values: Mapping[str, str], *, step: int) -> str:
    """Return the entry that a template makes, indented by steps of so many columns."""
    text = template.entry
    root = pieces(text)
    assert root is not None
    changes = [
        (each.start, each.end, _scalar(each, values))
        for each in root.walk()
        if each.kind is Kind.SCALAR and each.anchor is None and PLACE.search(each.value)
    ]
    entry = root.items[0][1]
    source = entry.get("source")
    if source is not None and source[1].kind is Kind.SCALAR:
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
        _fill(template.files, new, values)
        return _put(new, target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def copy_files(source: Path, target: Path) -> bool:
    """Copy an IOC's own files to a folder that is not there yet, as `fill_files` does."""
    new = _beside(target)
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(parents=True, exist_ok=True)
        ignored = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(source, new, symlinks=True, ignore=ignored)
        return _put(new, target)
    except shutil.Error as error:
        raise LinacreError(f"{source} cannot be copied: {error.args[0][0][2]}") from error
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
    found = filecmp.dircmp(one, other, ignore=[*LEFT_OUT], hide=[])
    if found.left_only or found.right_only or found.common_funny:
        return False
    _, differing, unread = filecmp.cmpfiles(one, other, found.common_files, shallow=False)
    if differing or unread:
        return False
    return all(same_files(one / each, other / each) for each in found.common_dirs)


def _fill(source: Path, target: Path, values: Mapping[str, str]) -> None:
    target.mkdir(parents=True)
    for where, folders, files in os.walk(source):
        folders[:] = sorted(set(folders) - {*LEFT_OUT})
        place = target / filled(str(Path(where).relative_to(source)), values)
        for name in folders:
            there = Path(where) / name
            if there.is_symlink():
                (place / filled(name, values)).symlink_to(there.readlink())
            else:
                (place / filled(name, values)).mkdir(exist_ok=True)
        for name in files:
            _fill_file(Path(where) / name, place / filled(name, values), values)


def _fill_file(file: Path, target: Path, values: Mapping[str, str]) -> None:
    if file.is_symlink():
        target.symlink_to(filled(str(file.readlink()), values))
        return
    data = file.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and "\0" not in text:
        data = filled(text, values).encode()
    target.write_bytes(data)
    target.chmod(file.stat().st_mode & 0o777)
