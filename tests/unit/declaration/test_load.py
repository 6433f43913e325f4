"""What loading a facility file promises beside the words of the golden files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from linacre.base.errors import UserError
from linacre.declaration.load import LoadError, load
from linacre.declaration.models import BinaryIoc, PythonIoc, SoftIoc

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"

TEXT = """\
facility: clara
networks:
  controls:
    subnet: 10.61.2.0/24
defaults:
  ioc: {limits: {cpu: 0.5, memory: 256MiB}, environment: {A: 1.10, B: 2}, mounts: []}
iocs:
  s02-mag:
    kind: python
    module: magnets
    address: 10.61.2.11
    limits:
      memory: 64MiB
    environment: {B: "3", C: true}
    args: [--port, 5064]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "facility.yaml"
    file.write_text(TEXT)
    return file


def message(file: Path) -> str:
    with pytest.raises(LoadError) as caught:
        load(file)
    return str(caught.value)


def test_declaration(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    declaration = load(Path("facility.yaml"))
    assert declaration.folder == file.parent
    assert declaration.text == TEXT
    assert declaration.where("iocs", "s02-mag") == "facility.yaml:8"
    assert declaration.where("iocs", "s02-mag", "address") == "facility.yaml:11"
    assert declaration.where("iocs", "s02-mag", "limits", "memory") == "facility.yaml:13"
    assert declaration.where("iocs", "s02-mag", "args", 1) == "facility.yaml:15"
    assert declaration.where("iocs", "s02-mag", "hold_off") == "facility.yaml:8"
    assert declaration.where() == "facility.yaml:1"


def test_defaults_are_merged_and_scalars_are_as_written(file: Path) -> None:
    ioc = load(file).facility.iocs["s02-mag"]
    assert isinstance(ioc, PythonIoc)
    assert (ioc.limits.cpu, ioc.limits.memory) == (0.5, 64 << 20)
    assert ioc.environment == {"A": "1.10", "B": "3", "C": "true"}
    assert ioc.args == ("--port", "5064")
    assert ioc.network == "controls"


def test_example_is_right() -> None:
    facility = load(ROOT / "examples/clara/facility.yaml").facility
    kinds = {name: type(ioc) for name, ioc in facility.iocs.items()}
    assert {"s02-mag": SoftIoc, "s02-bpm": PythonIoc, "s02-scr": BinaryIoc}.items() <= kinds.items()


def test_every_problem_is_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    text = TEXT.replace("module", "modul").replace("0/24", "0/99").replace("64MiB", "64MB")
    file.write_text(text)
    lines = message(file).splitlines()
    assert [line.removeprefix(str(file)).split(":")[1] for line in lines] == ["4", "10", "13"]


def test_file_that_is_not_there(tmp_path: Path) -> None:
    assert message(tmp_path / "gone.yaml").startswith(f"{tmp_path}/gone.yaml: no such file")


def test_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert message(tmp_path).endswith(f"this is a folder; write {tmp_path}/facility.yaml")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe or a device; write" in message(tmp_path / "pipe")
    assert "a pipe or a device; write" in message(Path("/dev/zero"))


def test_a_file_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "facility.yaml").open("wb") as file:
        file.truncate(1 << 40)
    assert "larger than 16 MiB; write" in message(tmp_path / "facility.yaml")


def test_file_as_a_folder(file: Path) -> None:
    assert "cannot be read: not a directory" in message(file / "facility.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_without_the_right_to_read(file: Path) -> None:
    file.chmod(0)
    assert "cannot be read: permission denied" in message(file)


def test_byte_order_mark_and_windows_lines_are_taken(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load(file).where("iocs", "s02-mag") == f"{file}:8"


def test_deep_nesting(file: Path) -> None:
    file.write_text("facility: " + "[" * 2000)
    assert "nested too deeply" in message(file)


def test_a_key_of_two_lines_is_told_in_one(file: Path) -> None:
    file.write_text('"two\\nlines": 1\n' + TEXT)
    assert message(file).splitlines()[0].startswith(f"{file}:1: 'two\\nlines': unknown key")


def test_error_is_the_users(file: Path) -> None:
    file.write_text("")
    with pytest.raises(UserError) as caught:
        load(file)
    assert caught.value.exit_status == 2


def _put(data: Any, path: list[int], value: Any) -> None:
    """Replace what a walk of the data by numbers comes to."""
    for step in path:
        keys = [*data] if isinstance(data, dict) else [*range(len(data))]
        if not keys:
            return
        key = keys[step % len(keys)]
        if step == path[-1] or not isinstance(data[key], dict | list):
            data[key] = value
            return
        data = data[key]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), VALUES)
def test_any_value_anywhere_is_taken_or_told_in_lines(
    file: Path, path: list[int], value: Any
) -> None:
    data = YAML(typ="safe", pure=True).load((GOLDEN / "good_three.yaml").read_text())
    _put(data, path, value)
    with file.open("w") as stream:
        YAML(typ="safe", pure=True).dump(data, stream)
    try:
        load(file)
    except LoadError as error:
        assert all(line.startswith(f"{file}:") for line in error.lines)
        assert not any("\n" in line or "Input" in line for line in error.lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!|>'\"%@`#,? \n\t<", max_size=40))
def test_any_text_is_taken_or_told_in_lines(file: Path, text: bytes | str) -> None:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert all(line.startswith(f"{file}:") for line in message(file).splitlines())
