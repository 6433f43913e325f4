"""A bare Debian in a folder, run in namespaces of its own with no network but the loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import CACHE, Done

from linacre.images.confined import confined
from linacre.images.sources import host_codename, read_sources, sources_for

ROOT = Path(__file__).parents[3]
# As process 1 of its namespaces: everything it starts and mounts ends with it. The root is
# pivoted, not changed: a process in a changed root may make no users for a container.
ENTER = """\
set -eu
ip link set lo up
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
mount --rbind /sys/fs/cgroup "$1/sys/fs/cgroup"
mount --rbind /dev "$1/dev"
cd "$1"
mkdir -p .host
pivot_root . .host
umount -l /.host
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec chroot . /bin/sh -c "cd /opt/linacre; $2"
"""
_ENTERING = (
    *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid"),
    *("--fork", "--kill-child", "--net"),
)
_KEPT = ("LANG", "LC_ALL", "TERM", "TZ")


def why_no_bare_machine() -> str | None:
    """Say why this machine cannot hold one, or None where it can."""
    if os.geteuid() != 0:
        return "a bare machine needs root"
    for program, package in {"mmdebstrap": "mmdebstrap", "unshare": "util-linux"}.items():
        if shutil.which(program) is None:
            return f"{program} is not installed: apt-get install {package}"
    probe = ["unshare", "--mount", "--pid", "--net", "--fork", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "this environment gives root no right to make namespaces"
    return None


def start_making_tree() -> subprocess.Popen[str] | None:
    """Begin to make the tree that bare machines start from, where no earlier test has."""
    if _tree().exists():
        return None
    release = host_codename()
    sources = [source.line() for source in sources_for(release, read_sources(), codename=release)]
    new = _tree().with_name(f"{_tree().stem}-{os.getpid()}.tar")
    make = [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
        '--aptopt=APT::Sandbox::User "root"',
        *(release, str(new), *sources),
    ]
    script = 'target=$1; new=$2; shift 2; "$@" && mv "$new" "$target" || { rm -f "$new"; exit 1; }'
    return subprocess.Popen(
        confined("sh", "-c", script, "sh", _tree(), new, *make, work=new.parent),
        stderr=subprocess.PIPE,
        text=True,
    )


def _tree() -> Path:
    return CACHE / "downloads" / f"bare-{host_codename()}.tar"


class BareMachine:
    """A root tree with Debian's smallest installation, the checkout in /opt/linacre."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="ltbare", dir="/tmp"))
        # The users of containers must be able to come to their file systems.
        self.root.chmod(0o755)
        subprocess.run(["tar", "-xf", _tree(), "-C", self.root], check=True)
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        # The disk of a test needs not survive a power cut.
        (self.root / "etc/dpkg/dpkg.cfg.d/fast").write_text("force-unsafe-io\n")
        shutil.copytree(ROOT, self.root / "opt/linacre", ignore=_left_out, symlinks=True)

    def run(self, command: str, *, limit_s: float = 900) -> Done:
        """Run a command line of the shell in the checkout, in new namespaces."""
        begun = time.monotonic()
        done = subprocess.run(
            [*_ENTERING, "sh", "-c", ENTER, "sh", str(self.root), command],
            env={key: value for key, value in os.environ.items() if key in _KEPT}
            | {"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        return Done((command,), done.returncode, done.stdout, done.stderr, time.monotonic() - begun)

    def leftovers(self, project: str) -> list[str]:
        """Return what this host still has of the machine and of a facility in it."""
        found: list[str] = []
        for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):
                if str(self.root) in backing.read_text():
                    found.append(f"loop device {backing.parts[3]}")
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if str(self.root) in line:
                found.append(f"mount {line.split()[4]}")
        found += [f"control group {each}" for each in _control_groups(project)]
        return found

    def remove(self, project: str) -> None:
        """Take the machine away, with what a defect left of it."""
        for each in self.leftovers(project):
            if each.startswith("loop "):
                subprocess.run(["losetup", "--detach", f"/dev/{each.split()[-1]}"], check=False)
            elif each.startswith("control "):
                with contextlib.suppress(OSError):
                    Path(each.split()[-1]).rmdir()
        # It holds no mounts: they were the namespaces'.
        shutil.rmtree(self.root, ignore_errors=True)


def _control_groups(project: str) -> Iterator[Path]:
    groups = Path("/sys/fs/cgroup")
    for folder in (groups, *(each for each in groups.iterdir() if each.is_dir())):
        yield from (each for each in folder.iterdir() if f".{project}_" in each.name)


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Leave out what git does not have: the machine shall make it itself."""
    caches = {"__pycache__", ".git", ".venv", ".cache", ".hypothesis", "build", "dist"}
    found = {name for name in names if name in caches or name.endswith((".egg-info", "_cache"))}
    if Path(folder).name in ("epics", "incus"):
        found |= {"bin"} & set(names)
    return found
