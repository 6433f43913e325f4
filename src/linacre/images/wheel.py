"""Linacre's own wheel for the image: the parts that run inside machines.

It is packed from the package in use, so that a checkout and an installed package serve alike.
The compiled programs in it are not tied to a version of Python.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import linacre
from linacre.images.recipe import Recipe

_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack_wheel(folder: Path, recipe: Recipe, *, machine: str) -> Path:
    """Write the wheel for a recipe's image; `machine` is the processor, such as x86_64."""
    version = linacre.__version__
    tag = f"py3-none-linux_{machine}"
    info = f"linacre-{version}.dist-info"
    root = Path(linacre.__file__).parent
    files = {
        f"linacre/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in recipe.package_files()
    }
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: linacre\nVersion: {version}\n".encode()
    )
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: linacre\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    record = "".join(f"{name},{_hash(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    path = folder / f"linacre-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (0o755 if "/bin/" in name else 0o644) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return path


def _hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
