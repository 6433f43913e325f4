import dataclasses
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from linacre.images.bundle import PACKAGES, WHEELS, Manifest, PartFiles, write_bundle
from linacre.images.bundle_contents import Checkout
from linacre.images.recipe import Recipe

ROOT = Path(__file__).parents[2]

EXPECTED = """\
# Written by ./linacre: incus comes from here on Debian 12.
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /k.gpg
"""
DEB822 = """\
Types: deb
# a remark
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg
"""


def call(function: str, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Call one function of the bootstrap script, after what replaces others."""
    script = f'LINACRE_BOOTSTRAP_FUNCTIONS=1; . "{ROOT}/linacre"; {before}\n"$@"'
    return subprocess.run(
        ["sh", "-c", script, "sh", function, *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_backports_come_from_the_archive_of_a_deb822_file(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    done = call("backports_source", str(apt), "bookworm")
    assert (done.returncode, done.stdout) == (0, EXPECTED)


def test_backports_come_from_the_archive_of_a_list_file(apt: Path) -> None:
    (apt / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb http://security.example/debian bookworm-security main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n"
    )
    done = call("backports_source", str(apt), "bookworm")
    assert (done.returncode, done.stdout) == (0, EXPECTED)


def test_a_source_without_a_key_gives_one_without(apt: Path) -> None:
    (apt / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    done = call("backports_source", str(apt), "bookworm")
    assert done.stdout == EXPECTED.replace("Signed-By: /k.gpg\n", "")


def test_a_key_written_into_the_source_is_kept(apt: Path) -> None:
    key = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
    (apt / "sources.list.d" / "debian.sources").write_text(
        DEB822.replace("Signed-By: /k.gpg\n", key)
    )
    done = call("backports_source", str(apt), "bookworm")
    assert done.stdout.replace("Signed-By: \n", "Signed-By:\n").endswith(key)


def test_backports_that_are_there_are_left_alone(apt: Path) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822)
    (apt / "sources.list").write_text("deb http://b.example/debian bookworm-backports main\n")
    done = call("backports_source", str(apt), "bookworm")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("change", [("Types", "Enabled: no\nTypes"), ("main", "contrib")])
def test_sources_that_do_not_count_are_passed_over(apt: Path, change: tuple[str, str]) -> None:
    (apt / "sources.list.d" / "debian.sources").write_text(DEB822.replace(*change))
    assert call("backports_source", str(apt), "bookworm").returncode == 1


def test_a_missing_package_is_named_and_what_it_would_have_served() -> None:
    done = call("without", "procserv")
    assert done.stdout == "no IOC can be started\n"
    assert "process engine" in call("without", "incus-base").stdout


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("Err:1 http://a.example x InRelease\n", 1),
        ("Err:1 http://a.example x InRelease\nHit:2 http://b.example x InRelease\n", 0),
        ("Get:1 http://a.example x InRelease [9 kB]\n", 0),
        ("Ign:1 cdrom://[Debian] x InRelease\n", 0),
    ],
)
def test_lists_that_nobody_gave_are_told_from_some(
    tmp_path: Path, printed: str, status: int
) -> None:
    (tmp_path / "printed").write_text(printed)
    stand_in = (
        f"log={tmp_path}/log debs={tmp_path}/debs sudo=; "
        f'apt() {{ cat "{tmp_path}/printed" >>"$log"; }}'
    )
    assert call("apt_update", before=stand_in).returncode == status


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("missing() { :; }", ""),
        (
            "missing() { echo postgresql; }; can_install() { false; }",
            "linacre: not root, so postgresql is not installed: the tests that need it are "
            "skipped\n",
        ),
        (
            "missing() { echo postgresql; }; can_install() { true; }; bundle=/a.bundle",
            "linacre: postgresql is not in a bundle: the tests that need it are skipped\n",
        ),
    ],
)
def test_what_only_tests_need_is_left_where_it_cannot_be_had(before: str, said: str) -> None:
    if shutil.which("dpkg-query") is None:
        pytest.skip("this is no Debian")
    done = call("test_needs", before=before)
    assert (done.returncode, done.stderr) == (0, said)


def test_a_finished_environment_is_entered_at_once(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "setup.py", "constraints.txt", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    script = tmp_path / "linacre"
    script.write_bytes((ROOT / "linacre").read_bytes())
    program = tmp_path / ".venv" / "bin" / "linacre"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "real: $*"\n')
    program.chmod(0o755)
    find = f'LINACRE_BOOTSTRAP_FUNCTIONS=1; . "{script}"; root={tmp_path} foreign=; digest'
    stamp = subprocess.run(["sh", "-c", find], capture_output=True, text=True, check=True).stdout
    (tmp_path / ".venv" / "linacre-stamp").write_text(f"{stamp.strip()} all\n")
    done = subprocess.run(
        ["sh", script, "status", "--json"], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("real: status --json\n", "")


def told(function: str, root: Path) -> str:
    done = call(function, before=f"root={root} foreign=")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A checkout of its own, whose files a test may change."""
    kept = ("linacre", "pyproject.toml", "setup.py", "constraints.txt")
    for name in kept:
        shutil.copyfile(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_a_changed_c_source_makes_the_environment_anew(copied: Path) -> None:
    sources = sorted(path for path in (copied / "src").rglob("*.[ch]"))
    assert {"first-pause.c", "incus-fork.c", "capture.c"} <= {path.name for path in sources}
    for source in sources:
        before = told("digest", copied)
        source.write_text(source.read_text() + "/* changed */\n")
        assert told("digest", copied) != before, source


def test_a_bundle_is_of_all_that_images_are_made_from(copied: Path) -> None:
    modules = {module for name in ("ioc", "archiver") for module in Recipe.load(name).modules}
    for module in sorted(modules):
        before = told("contents", copied)
        source = copied / "src/linacre" / module / "__init__.py"
        source.write_text(source.read_text() + "# changed\n")
        assert told("contents", copied) != before, module
        compiled = source.parent / "bin" / "compiled"
        compiled.parent.mkdir(exist_ok=True)
        before = told("contents", copied)
        if module != "base":
            # What a compiler made of the same sources is the same.
            compiled.write_text("by another compiler")
            assert told("contents", copied) == before


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A bundle for this machine and this checkout, with next to nothing in it."""
    if shutil.which("dpkg") is None:
        pytest.skip("this is no Debian")
    return bundle_of(tmp_path, Checkout.find({}).manifest("trial"))


def bundle_of(folder: Path, manifest: Manifest) -> Path:
    (folder / "a").write_bytes(b"abc" * 5000)
    parts = [PartFiles(name, name, [("a", folder / "a")]) for name in (PACKAGES, WHEELS)]
    write_bundle(folder / "trial.bundle", manifest, parts, report=lambda _: None)
    return folder / "trial.bundle"


def check_bundle(bundle: Path) -> subprocess.CompletedProcess[str]:
    """Let the launcher check a bundle, with a folder of its own beside it."""
    script = (
        'LINACRE_BOOTSTRAP_FUNCTIONS=1; . "$1/linacre"; root=$1 cache=$2 bundle=$3; '
        "check_bundle; echo good"
    )
    return subprocess.run(
        ["sh", "-c", script, "sh", str(ROOT), str(bundle.parent / "cache"), str(bundle)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bundle_is_checked_once(made: Path) -> None:
    first, second = check_bundle(made), check_bundle(made)
    assert (first.stdout, first.stderr) == ("good\n", f"linacre: checking {made}\n")
    assert (second.stdout, second.stderr) == ("good\n", "")
    bundle_of(made.parent, Checkout.find({}).manifest("another"))
    assert "checking" in check_bundle(made).stderr


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("release", "sarge", "was made for Debian sarge on "),
        ("architecture", "vax", " on vax, and this is Debian "),
        ("python", "2.7", "was made for Python 2.7, and this is 3."),
        ("linacre", "9.9", "was made for Linacre 9.9 (files "),
        ("checkout", "f00", " (files f00), and this is Linacre "),
    ],
)
def test_a_bundle_for_something_else_is_refused_in_one_line(
    made: Path, fact: str, value: str, said: str
) -> None:
    manifest = dataclasses.replace(Checkout.find({}).manifest("trial"), **{fact: value})
    done = check_bundle(bundle_of(made.parent, manifest))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data[:-12_000], "its part wheels.tar is cut or damaged"),
        (lambda data: data.replace(b"abcabc", b"abcabd", 1), "its part packages.tar is cut or"),
        (lambda data: data.replace(b"facility trial", b"facility trail", 1), "manifest is damaged"),
        (lambda data: data[:300], "is no bundle of Linacre, or its beginning is damaged"),
        (lambda data: b"x" * 4000, "is no bundle of Linacre"),
    ],
)
def test_a_damaged_bundle_is_refused_in_one_line(made: Path, change: Any, said: str) -> None:
    made.write_bytes(change(made.read_bytes()))
    done = check_bundle(made)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) <= 2


def test_a_bundle_that_is_not_there_is_a_slip_of_the_pen(tmp_path: Path) -> None:
    done = check_bundle(tmp_path / "none.bundle")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no file" in done.stderr
    done = subprocess.run(
        [ROOT / "linacre", "--bundle"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "linacre: --bundle needs a file: ./linacre --bundle FILE up\n"


def test_the_pins_are_exact_and_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert all("==" in pin and "://" not in pin and " @ " not in pin for pin in pins)


def test_ci_calls_the_readmes_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec ./linacre test"
