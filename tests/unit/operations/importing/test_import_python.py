"""What a Python IOC needs that its machine does not have."""

from __future__ import annotations

import re
from datetime import date
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from import_support import understand

from linacre.images.recipe import Recipe
from linacre.kinds.ioc.python_packages import how_to_have, remedy_for
from linacre.operations.importing.entry import entry_of
from linacre.operations.importing.python_modules import IN_IMAGE, has_module
from linacre.operations.importing.python_script import PythonScript, read_python

MAILBOX = """\
import argparse
from p4p.server import Server
args = argparse.ArgumentParser()
args.add_argument("name", nargs="+", help="PV names")
args.add_argument("--prefix", "-p", required=True, dest="prefix")
args.add_argument("-v", "--verbose", action="store_true")
args.add_argument("maybe", nargs="?")
args = args.parse_args()
"""


def read(folder: Path, text: str, **beside: str) -> PythonScript:
    folder.mkdir(exist_ok=True)
    (folder / "ioc.py").write_text(text)
    for name, inner in beside.items():
        file = folder / name.replace("__in__", "/")
        file.parent.mkdir(exist_ok=True)
        file.with_name(f"{file.name}.py").write_text(inner)
    return read_python(folder / "ioc.py", has_module=lambda name: has_module(name, engine="incus"))


def test_the_image_has_what_its_requirements_say() -> None:
    lines = Recipe.load().requirements[0].read_text().splitlines()
    named = {line.partition("==")[0].lower() for line in lines if "==" in line}
    assert {"pyyaml" if name == "yaml" else name for name in IN_IMAGE - {"linacre"}} == named


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("import os, softioc, yaml, numpy.linalg", []),
        ("import pcaspy", ["pcaspy"]),
        ("from pcaspy.tools import ServerThread", ["pcaspy"]),
        ("def later():\n    import epics", ["epics"]),
        ("import telnetlib", ["telnetlib"]),
        ("try:\n    import cothread\nexcept ImportError:\n    import other", []),
        ("try:\n    import pcaspy\nfinally:\n    pass", ["pcaspy"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas", []),
        ("from . import sibling", []),
    ],
)
def test_modules_that_the_image_lacks(tmp_path: Path, text: str, missing: list[str]) -> None:
    assert [*read(tmp_path / "ioc", text).missing] == missing


def test_what_is_beside_the_script_is_there_and_is_read_too(tmp_path: Path) -> None:
    found = read(
        tmp_path / "ioc",
        "import helper\nfrom drivers import scope\nimport data\n",
        helper="import ioc, pcaspy\n",
        drivers__in____init__="",
        drivers__in__scope="import pyvisa\n",
        drivers__in__unused="import pandas\n",
    )
    assert found.missing == {
        "pcaspy": "helper.py",
        "pyvisa": "drivers/scope.py",
        "data": "ioc.py",
    }


def test_a_file_of_another_sort_is_no_module(tmp_path: Path) -> None:
    (tmp_path / "ioc").mkdir()
    (tmp_path / "ioc/pcaspy.txt").write_text("")
    assert [*read(tmp_path / "ioc", "import pcaspy").missing] == ["pcaspy"]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (MAILBOX, ("name", "-p")),
        ("import sys\nprefix = sys.argv[1]\n", ("sys.argv[1]",)),
        ("import sys\nprefix = sys.argv[1] if len(sys.argv) > 1 else 'A'\n", ()),
        ("import sys\nprint(sys.argv[0], sys.argv[1:])\n", ()),
    ],
)
def test_arguments_without_which_it_does_not_go_on(
    tmp_path: Path, text: str, asked: tuple[str, ...]
) -> None:
    assert read(tmp_path / "ioc", text).arguments == asked


def test_another_python_is_told_with_its_place(tmp_path: Path) -> None:
    (place,) = read(tmp_path / "ioc", "import os\nprint 'serving'\n").broken
    assert place.startswith("ioc.py:2 (")


def test_all_of_it_is_told_with_what_would_serve(tmp_path: Path) -> None:
    folder = tmp_path / "mailbox"
    read(folder, f"import pcaspy\n{MAILBOX}")
    understood = understand(folder, start="ioc.py")
    (module, arguments) = understood.notes
    assert module.startswith("ioc.py imports pcaspy, which is not Python's own, and neither")
    command = re.escape(f"pip install --target {folder} --only-binary :all: --python-version 3.13")
    assert re.search(f"{command} pcaspy$", module)
    assert "(name, -p): write them into its entry, as args" in arguments
    text = entry_of(
        understood,
        source="iocs/mailbox",
        address=IPv4Address("10.0.0.9"),
        network=None,
        today=date(2026, 1, 1),
    )
    assert "\n  # args: [name, -p]\n" in text


def test_the_process_engine_runs_it_with_the_hosts_python() -> None:
    assert has_module("pytest", engine="process")
    assert not has_module("pcaspy_of_nobody", engine="process")
    assert how_to_have("epics", Path("/x"), engine="process") == "pip install --target /x pyepics"


def test_arguments_that_the_server_gave_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "mailbox"
    read(folder, MAILBOX)
    script = tmp_path / "run.sh"
    script.write_text(f"procServ -n box 20001 /usr/bin/python3 {folder}/ioc.py -p A: one\n")
    understood = understand(folder, start="ioc.py", procserv=script)
    assert understood.program.args == ("-p", "A:", "one")
    assert not any("arguments" in note for note in understood.notes)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("ModuleNotFoundError: No module named 'epics'", "pip install --target FOLDER pyepics"),
        ("ModuleNotFoundError: No module named 'a.b'", "pip install --target FOLDER a"),
        ("box.py: error: the following arguments are required: name", "as args"),
        ("OSError: no such device", None),
    ],
)
def test_a_program_that_ended_is_told_what_it_lacked(words: str, remedy: str | None) -> None:
    told = remedy_for(words, engine="process")
    assert told is None if remedy is None else (told or "").endswith(remedy)
