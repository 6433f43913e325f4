"""Benchmarks stand alone: each command they run names their own facility."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

import linacre.cli.main
from common.facility import BenchFacility

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
FILES = sorted(BENCHMARKS.rglob("*.py"))
ANY = "1"
"""Stands for what is not known before it runs: a number is right for a name, too."""


class UnclearError(Exception):
    """A command whose words cannot be told from the source."""


def words(arguments: list[ast.expr], known: dict[str, ast.expr]) -> list[str]:
    found: list[str] = []
    for each in arguments:
        match each:
            case ast.Constant(value=str(word)):
                found.append(word)
            case ast.Starred(value=ast.Tuple(elts=inner)):
                found += words(inner, known)
            case ast.Starred(value=ast.Name(id=name)) if isinstance(known.get(name), ast.Tuple):
                found += words(known[name].elts, known)  # pyright: ignore[reportAttributeAccessIssue]
            case ast.Starred():
                raise UnclearError(f"line {each.lineno}: say the words where they are run")
            case _:
                found.append(ANY)
    return found


def commands(source: str) -> Iterator[list[str]]:
    """Return the words of each command line that a module runs."""
    tree = ast.parse(source)
    # `subprocess.run` and `asyncio.run` run something else, and so does a PostgreSQL's `run`.
    owners = ("facility", "self") if "class BenchFacility" in source else ("facility",)
    known = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=attr), args=arguments):
                if attr in ("run", "argv") and owner in owners and not passed_on(arguments):
                    yield words(arguments, known)
            case ast.Call(func=ast.Name(id="timed"), args=[_, *arguments]):
                if not passed_on(arguments):
                    yield words(arguments, known)
            case _:
                pass


def passed_on(arguments: list[ast.expr]) -> bool:
    """Say whether these are the words that the function itself was given."""
    match arguments:
        case [ast.Starred(value=ast.Name(id="arguments"))]:
            return True
        case _:
            return False


ALL = [
    pytest.param(command, id=f"{file.stem}: {' '.join(command)}")
    for file in FILES
    for command in commands(file.read_text())
]


def test_the_commands_are_found() -> None:
    assert len(ALL) > 20
    ids = {each.id for each in ALL}
    assert "swap: exec --network controls-twins -- caput 1 1" in ids
    assert "facility: down --purge --yes" in ids
    assert "scale: ioc restart 1" in ids


def test_a_command_that_cannot_be_read_here_is_refused() -> None:
    with pytest.raises(UnclearError, match="line 1"):
        list(commands("facility.run(*make())"))


@pytest.mark.parametrize("command", ALL)
def test_each_command_names_the_benchmarks_own_facility(command: list[str], tmp_path: Path) -> None:
    facility = BenchFacility("bench-x", tmp_path, IPv4Network("10.63.0.0/20"), "incus")
    argv = facility.argv(*command)
    assert argv[1:3] == ["-m", "linacre.cli.main"]
    assert file_of(argv[3:]) == facility.file
    if "--" in command:
        assert argv[argv.index("--") :] == command[command.index("--") :]


def file_of(argv: list[str]) -> Path | None:
    """Return the facility file that the command line takes from these words."""
    command, rest = typer.main.get_command(linacre.cli.main.app), argv
    while isinstance(command, TyperGroup):
        group = command.make_context(command.name, rest[:1])
        _, found, rest = command.resolve_command(group, rest)
        assert found is not None
        command = found
    return command.make_context(command.name, rest).params["file"]


def test_nothing_else_starts_the_command_line() -> None:
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Import(names=names):
                    modules = [each.name for each in names]
                case ast.ImportFrom(module=str(module)):
                    modules = [module]
                case ast.List(elts=[*items]) | ast.Tuple(elts=[*items]):
                    texts = [each.value for each in items if isinstance(each, ast.Constant)]
                    is_ours = file == BENCHMARKS / "common" / "facility.py"
                    assert "linacre.cli.main" not in texts or is_ours, file
                    assert "linacre" not in texts and "./linacre" not in texts, file
                    continue
                case _:
                    continue
            assert not [each for each in modules if each.startswith("linacre.cli")], file
