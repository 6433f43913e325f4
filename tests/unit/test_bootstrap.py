import os
import subprocess
from pathlib import Path

import pytest

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


def call(function: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call one function of the bootstrap script."""
    script = f'LINACRE_BOOTSTRAP_FUNCTIONS=1; . "{ROOT}/linacre"; "$@"'
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


def test_the_pins_are_exact_and_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert all("==" in pin and "://" not in pin and " @ " not in pin for pin in pins)


def test_ci_calls_the_readmes_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec ./linacre test"
