"""A Debian 13 root with EPICS's build tools, and applications built in it as a group does."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import CACHE

from linacre.images.sources import host_codename, read_sources, sources_for

HERE = Path(__file__).parent
TOP = "/home/epics/lab"
"""Where applications are built in the root: the path that they then know."""
_PACKAGES = "epics-base,epics-dev,g++,make,perl,xz-utils"
_SOURCE = """\
mkdir -p "$1/src"
cp /etc/resolv.conf "$1/etc/resolv.conf"
chroot "$1" sh -c 'cd /src && apt-get -qq source --download-only epics-base' || true
ls "$1"/src/epics-base_*.orig.tar.xz
"""


def epics_root() -> Path:
    """Return the root, made once for all runs of the tests on this host (about a minute)."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed: apt-get install mmdebstrap")
    scripts = (HERE / "make-base.sh").read_bytes() + _PACKAGES.encode() + _SOURCE.encode()
    root = CACHE / "downloads" / f"epics-build-{hashlib.sha256(scripts).hexdigest()[:12]}"
    with _only_one(root.with_suffix(".lock")):
        if not root.is_dir():
            _make_root(root)
    return root


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_root(root: Path) -> None:
    new = root.with_name(root.name + ".new")
    subprocess.run(["rm", "-rf", "--one-file-system", str(new)], check=True)
    binary = sources_for("trixie", read_sources(), codename=host_codename())
    lines = [
        line
        for each in binary
        for line in (each.line(), each.line().replace("deb ", "deb-src ", 1))
    ]
    hook = new.with_suffix(".hook")
    hook.write_text(f"#!/bin/sh\nset -e\n{_SOURCE}")
    hook.chmod(0o755)
    options = ["--quiet", "--variant=minbase", f"--include={_PACKAGES}", f"--customize-hook={hook}"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
    made = subprocess.run(
        ["mmdebstrap", *options, "trixie", str(new), "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    hook.unlink()
    if made.returncode != 0:
        pytest.skip(f"no root with EPICS's build tools can be made: {made.stderr[-500:]}")
    run_in(new, (HERE / "make-base.sh").read_text())
    new.rename(root)


def run_in(root: Path, script: str, *args: str, limit_s: float = 200) -> None:
    """Run a shell script in a root."""
    done = subprocess.run(
        ["chroot", str(root), "/bin/sh", "-s", *args],
        input=script,
        capture_output=True,
        text=True,
        timeout=limit_s,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])


def build_application(target: Path) -> Path:
    """Build the application at `TOP` and move it to `target`, as one that came from a server."""
    root = epics_root()
    with _only_one(root.with_suffix(".lock")):
        run_in(root, (HERE / "make-app.sh").read_text(), TOP)
        subprocess.run(["cp", "-a", f"{root}{TOP}", str(target)], check=True)
    assert os.access(target / "bin/linux-x86_64/lab", os.X_OK)
    return target


def build_for_host(application: Path) -> None:
    """Build the program of an application anew so that it runs on this host.

    The host may be older than Debian 13: its program is of epicscorelibs' libraries, which go into
    the application's lib folder. They are looked for at `TOP`, as in any application.
    """
    if (compiler := shutil.which("g++")) is None:
        pytest.skip("no C++ compiler for an application of this host: apt-get install g++")
    import epicscorelibs  # pyright: ignore[reportMissingTypeStubs]

    core = Path(str(epicscorelibs.__file__)).parent
    source, root = application / "labApp/src", epics_root()
    script = """
    cd /tmp/for-host
    base=/usr/lib/epics-base/bin/linux-x86_64
    perl $base/dbdExpand.pl -I dbd -I src base.dbd labFunctions.dbd > lab.dbd
    perl $base/registerRecordDeviceDriver.pl lab.dbd lab_registerRecordDeviceDriver > register.cpp
    """
    with _only_one(root.with_suffix(".lock")):
        work = root / "tmp/for-host"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        shutil.copytree(core / "dbd", work / "dbd")
        shutil.copytree(source, work / "src", ignore=shutil.ignore_patterns("O.*"))
        run_in(root, script)
        shutil.copy(work / "lab.dbd", application / "dbd/lab.dbd")
        shutil.copy(work / "register.cpp", source)
    libraries = application / "lib/linux-x86_64"
    libraries.mkdir(parents=True, exist_ok=True)
    linked: list[str] = []
    for name in ("dbRecStd", "dbCore", "ca", "Com"):
        (library,) = (core / "lib").glob(f"lib{name}.so.*")
        shutil.copy(library, libraries)
        linked.append(str(libraries / library.name))
    include = [f"-I{core}/include{each}" for each in ("", "/os/Linux", "/compiler/gcc")]
    flags = ["-D_GNU_SOURCE", "-DUNIX", "-Dlinux", *include]
    subprocess.run(
        [compiler, *flags, "-x", "c", "-c", "labDouble.c", "-o", "labDouble.o"],
        cwd=source,
        check=True,
    )
    program = application / "bin/linux-x86_64/lab"
    program.unlink()
    sources = ["register.cpp", "labMain.cpp", "labDouble.o", *linked, "-lpthread"]
    where = [f"-Wl,-rpath,{TOP}/lib/linux-x86_64", "-o", str(program)]
    subprocess.run([compiler, *flags, *sources, *where], cwd=source, check=True)
