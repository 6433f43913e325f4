"""Files written whole or not at all, and trees removed whatever their modes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import Below, EnclosedFolder, UnsafeNameError
from linacre.base.errors import EngineError
from linacre.engines.base import Payload, PayloadFile

_NEW = ".linacre-new"


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write JSON that a power cut leaves old or new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + _NEW)
    with temporary.open("w") as file:
        json.dump(value, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> dict[str, object] | None:
    """Return what `write_json` wrote, or None where there is no such file or it is not whole."""
    try:
        value: object = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return dict(value) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownArgumentType] -- keys of JSON objects are str


def change_json(path: Path, values: Mapping[str, str | None]) -> None:
    """Change entries of a file of `write_json`; None removes one."""
    changed = {**(read_json(path) or {}), **values}
    write_json(path, {key: value for key, value in changed.items() if value is not None})


def read_tail(path: Path, limit: int, *, tops: Iterable[Path] = ()) -> bytes | None:
    """Return at most the last `limit` bytes of a plain file, or None where none can be read.

    No link is followed below the first of the folders `tops` that the file is in, or else below
    the root: what runs in the machine may have laid it.
    """
    top = next((each for each in tops if path.is_relative_to(each)), Path("/"))
    try:
        with Below.of(top) as below:
            return below.tail(PurePosixPath(path.relative_to(top)), limit=limit)
    except (OSError, UnsafeNameError):
        return None


def remove_tree(path: Path) -> None:
    """Remove a file, a link, or a folder with all in it, read-only folders too."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for folder, _, _ in os.walk(path):
        with suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(path)


def lay(payload: Payload, *, home: Path, keep: Path) -> None:
    """Lay a payload into a machine's folder and take away what it no longer holds.

    Every file is replaced in one step, and only where it differs. Links into `keep`, which the
    start script makes in the emptied folders, stay. `EngineError` for a path that leaves `home`.
    """
    declared: set[Path] = set()
    for file in payload.files:
        target = _inside(file.path, home)
        declared.add(target)
        declared.update(target.parents)
        _lay_one(file, target, home)
    for folder in payload.replaces:
        _sweep(_inside(folder, home), declared, keep)


def _inside(path: PurePosixPath, home: Path) -> Path:
    target = Path(path)
    real = target.parent.resolve()
    if ".." in target.parts or not (real == home.resolve() or home.resolve() in real.parents):
        raise EngineError(f"{path} is not in the machine's folder {home}: it is not laid")
    return target


def _lay_one(file: PayloadFile, target: Path, home: Path) -> None:
    top = home.resolve()
    # What a start script has linked to the persistent folder leads there.
    path = PurePosixPath((target.parent.resolve() / target.name).relative_to(top))
    if file.link is not None:
        if not (target.is_symlink() and str(target.readlink()) == file.link):
            _clear_other(target, folder=False)
            EnclosedFolder(top).link(path, file.link)
    elif file.data is None and file.source is None:
        _clear_other(target, folder=True)
        target.mkdir(parents=True, exist_ok=True)
        # The owner must be able to change what is in it at the next update.
        target.chmod(file.mode | 0o700)
    elif not _same(file, target):
        _clear_other(target, folder=False)
        EnclosedFolder(top).write(path, file.content or b"", mode=file.mode, durable=False)


def _clear_other(target: Path, *, folder: bool) -> None:
    """Clear what stands where something of another type must go."""
    is_folder = target.is_dir() and not target.is_symlink()
    if is_folder != folder and (target.exists() or target.is_symlink()):
        remove_tree(target)


def _same(file: PayloadFile, target: Path) -> bool:
    content = file.content or b""
    if target.is_symlink() or not target.is_file():
        return False
    about = target.stat()
    alike = (about.st_mode & 0o7777, about.st_size) == (file.mode, len(content))
    return alike and read_tail(target, len(content), tops=(target.parent,)) == content


def _sweep(folder: Path, declared: set[Path], keep: Path) -> None:
    if not folder.is_dir():
        return
    folder.chmod(folder.stat().st_mode | 0o700)
    for entry in list(folder.iterdir()):
        if entry.is_symlink():
            if entry not in declared and not _leads_into(entry, keep):
                entry.unlink()
        elif entry.is_dir():
            _sweep(entry, declared, keep)
            if entry not in declared:
                with suppress(OSError):  # a kept link may be in it
                    entry.rmdir()
        elif entry not in declared:
            entry.unlink()


def _leads_into(link: Path, keep: Path) -> bool:
    target = Path(os.path.normpath(link.parent / link.readlink()))
    return target == keep or keep in target.parents
