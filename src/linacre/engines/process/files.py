"""Files written whole or not at all, and trees removed whatever their modes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

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


def read_tail(path: Path, limit: int) -> bytes | None:
    """Return at most the last `limit` bytes of a file, or None where none can be read."""
    try:
        # Not blocking: a pipe without a writer must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if (size := os.fstat(descriptor).st_size) > limit:
                file.seek(size - limit)
            # Files in /proc have no size and may not be sought.
            return file.read()[-limit:] if limit > 0 else b""
    except OSError:
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
        _lay_one(file, target)
    for folder in payload.replaces:
        _sweep(_inside(folder, home), declared, keep)


def _inside(path: PurePosixPath, home: Path) -> Path:
    target = Path(path)
    real = target.parent.resolve()
    if ".." in target.parts or not (real == home.resolve() or home.resolve() in real.parents):
        raise EngineError(f"{path} is not in the machine's folder {home}: it is not laid")
    return target


def _lay_one(file: PayloadFile, target: Path) -> None:
    if file.link is not None:
        if not (target.is_symlink() and str(target.readlink()) == file.link):
            temporary = _room_for(target, folder=False)
            temporary.symlink_to(file.link)
            temporary.replace(target)
    elif file.data is None and file.source is None:
        _room_for(target, folder=True)
        target.mkdir(exist_ok=True)
        # The owner must be able to change what is in it at the next update.
        target.chmod(file.mode | 0o700)
    elif not _same(file, target):
        temporary = _room_for(target, folder=False)
        if file.source is not None:
            shutil.copyfile(file.source, temporary)
        else:
            temporary.write_bytes(file.data or b"")
        temporary.chmod(file.mode)
        temporary.replace(target)


def _room_for(target: Path, *, folder: bool) -> Path:
    """Clear what stands where something of another type must go; return the temporary name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    is_folder = target.is_dir() and not target.is_symlink()
    if is_folder != folder and (target.exists() or target.is_symlink()):
        remove_tree(target)
    temporary = target.with_name(target.name + _NEW)
    temporary.unlink(missing_ok=True)
    return temporary


def _same(file: PayloadFile, target: Path) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    wanted = file.source.read_bytes() if file.source is not None else file.data
    return target.stat().st_mode & 0o7777 == file.mode and target.read_bytes() == wanted


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
