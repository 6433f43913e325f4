from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from textwrap import dedent

import pytest

from linacre.base.errors import UserError
from linacre.cli.checks.budget import budget_table, read_budget
from linacre.cli.checks.choosing import Check, Choice, choose
from linacre.cli.checks.repeating import Round, loaded_machine, repeat, repeat_report
from linacre.cli.checks.results import Result, read_results
from linacre.cli.checks.running import run_checks

TESTS = Path(__file__).parents[2]
REPORT = """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
  <testcase classname="tests.unit.cli.test_render" name="test_a[1]" time="0.5" />
  <testcase classname="tests.system.who.test_who" name="test_b" time="2.0">
    <failure message="no">long</failure></testcase>
  <testcase classname="tests.system.who.test_who" name="test_c" time="1.0" />
  <testcase classname="tests.system.who.test_who" name="test_c" time="0.5">
    <error message="at its end">long</error></testcase>
  <testcase classname="tests.unit.test_bootstrap" name="test_d" time="0.1"><skipped/></testcase>
  <testcase classname="" name="tests.unit.base.test_log" time="0.0"><error/></testcase>
</testsuite></testsuites>
"""


def result(folder: str, seconds: float, *, name: str = "a", failed: bool = False) -> Result:
    return Result(f"{folder}::{name}", folder, seconds, failed)


def test_results_are_read_by_folder(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    found = {
        each.test: (each.folder, each.seconds, each.failed)
        for each in read_results(tmp_path / "report.xml")
    }
    assert found == {
        "unit.cli.test_render::test_a[1]": ("unit/cli", 0.5, False),
        "system.who.test_who::test_b": ("system/who", 2.0, True),
        "system.who.test_who::test_c": ("system/who", 1.5, True),
        "unit.test_bootstrap::test_d": ("unit/test_bootstrap", 0.1, False),
        "tests.unit.base.test_log": ("unit/base", 0.0, True),
    }


def test_a_run_without_a_report_has_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path / "none.xml") == []


def test_the_table_marks_what_exceeds_its_budget() -> None:
    results = [
        result("unit/cli", 1.25),
        result("unit/cli", 2.25, name="b"),
        result("system/who", 10.0),
        result("system/new", 1.0),
    ]
    lines = budget_table(results, {"unit/cli": 3, "system/who": 10, "system/twins": 5})
    assert lines == [
        "folder      tests  seconds  budget",
        "system/new      1      1.0    none",
        "system/who      1     10.0      10",
        "unit/cli        2      3.5       3  <- over by 0.5 s",
        "all             4     14.5",
        "over budget (budget.toml has it; this is no failure): unit/cli",
    ]


def test_a_run_of_everything_has_no_budgets() -> None:
    lines = budget_table([result("unit/cli", 1.25)], None)
    assert lines == [
        "folder    tests  seconds",
        "unit/cli      1      1.2",
        "all           1      1.2",
    ]


def test_every_folder_of_tests_has_a_budget() -> None:
    parts = [path.relative_to(TESTS).with_suffix("").parts for path in TESTS.rglob("test_*.py")]
    assert set(read_budget(TESTS)) == {f"{tree}/{folder}" for tree, folder, *_ in parts}


def names(*named: str, choice: Choice | None = None, only_tests: bool = False) -> list[str]:
    return [each.name for each in choose(named, choice or Choice(), only_tests=only_tests)]


def test_what_needs_only_files_comes_first() -> None:
    assert names() == ["lint", "format", "layers", "types", "unit", "system"]
    assert names("unit", "lint") == ["lint", "unit"]


def test_choosing_tests_is_choosing_checks_that_have_tests() -> None:
    assert names(choice=Choice(expression="twin")) == ["unit", "system"]
    assert names("system", only_tests=True) == ["system"]
    with pytest.raises(UserError, match="lint has no tests to choose from"):
        names("lint", only_tests=True)
    with pytest.raises(UserError, match="there is no check linty; there are: lint, format"):
        names("linty")


def test_thorough_tests_run_when_all_are_asked_for() -> None:
    (ordinary,), (everything,) = (choose(["unit"], Choice(everything=e)) for e in (False, True))
    assert "not thorough" in ordinary.argv
    assert "not thorough" not in everything.argv
    (chosen,) = choose(["system"], Choice(expression="twin or who"))
    assert chosen.argv[-3:] == ("-k", "twin or who", "tests/system")


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pytest that a test starts start quickly."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def program(name: str, script: str, *, has_tests: bool = False) -> Check:
    argv = (sys.executable, "-c", dedent(script))
    return Check(name, argv, has_tests=has_tests)


def pytest_on(folder: Path, name: str, text: str) -> Check:
    """Return a check that runs pytest on a module."""
    module = folder / "tests" / name / "some" / "test_it.py"
    module.parent.mkdir(parents=True)
    module.write_text(dedent(text))
    (folder / "pytest.ini").touch()
    options = ("-q", "-p", "no:cacheprovider", f"tests/{name}")
    return Check(name, (sys.executable, "-m", "pytest", *options), has_tests=True)


def test_a_failure_stops_the_run_before_the_system_tests(tmp_path: Path) -> None:
    said: list[str] = []
    checks = [
        program("lint", "raise SystemExit(1)"),
        program("layers", ""),
        program("system", "open('begun', 'w')"),
    ]
    outcome = run_checks(checks, root=tmp_path, say=said.append)
    assert (outcome.failed, outcome.not_run) == (["lint"], ["system"])
    assert not (tmp_path / "begun").exists()
    assert said[1].startswith("== lint: FAILED in ")
    assert said[3].startswith("== layers: passed in ")


def test_types_are_checked_beside_the_unit_tests(tmp_path: Path) -> None:
    """Each waits until the other has begun."""
    script = """
        import pathlib, time
        pathlib.Path("{ours}").touch()
        while not pathlib.Path("{theirs}").exists():
            time.sleep(0.01)
        print("wrong type")
        raise SystemExit({status})
    """
    checks = [
        program("types", script.format(ours="a", theirs="b", status=3)),
        program("unit", script.format(ours="b", theirs="a", status=0)),
    ]
    said: list[str] = []
    outcome = run_checks(checks, root=tmp_path, say=said.append)
    assert outcome.failed == ["types"]
    assert "wrong type" in said[2]
    assert said[3].startswith("== types: FAILED in ")


def test_results_of_what_ran_are_kept(tmp_path: Path) -> None:
    check = pytest_on(tmp_path, "unit", "def test_a(): pass\ndef test_b(): assert False\n")
    outcome = run_checks([check], root=tmp_path, say=lambda _: None)
    assert outcome.failed == ["unit"]
    assert [(r.test, r.failed) for r in outcome.results] == [
        ("unit.some.test_it::test_a", False),
        ("unit.some.test_it::test_b", True),
    ]


def test_where_none_was_chosen_nothing_failed(tmp_path: Path) -> None:
    check = pytest_on(tmp_path, "unit", "")
    said: list[str] = []
    outcome = run_checks([check], root=tmp_path, say=said.append)
    assert not outcome.failed
    assert said[1].startswith("== unit: has none of the chosen tests")


def test_repeating_tells_what_failed_and_how_often(tmp_path: Path) -> None:
    check = pytest_on(
        tmp_path,
        "unit",
        """
        from pathlib import Path

        def test_good(): pass

        def test_flaky():
            there = Path("count")
            count = int(there.read_text()) if there.exists() else 0
            there.write_text(str(count + 1))
            assert count != 1
        """,
    )
    said: list[str] = []
    rounds = repeat([check], 3, root=tmp_path, say=said.append, load=nullcontext)
    assert repeat_report(rounds) == [
        "1 of 3 failed: unit.some.test_it::test_flaky",
        "1 of 2 tests failed at least once in 3 runs",
    ]
    assert [line.partition(" in ")[0] for line in said] == [
        "round 1 of 3: unit: 2 passed, 0 failed",
        "round 2 of 3: unit: 1 passed, 1 failed",
        "round 3 of 3: unit: 2 passed, 0 failed",
    ]
    (kept,) = [each.log for each in rounds if each.log]
    assert "assert 1 != 1" in kept.read_text()
    assert str(kept) in said[1]


def test_repeating_nothing_is_refused(tmp_path: Path) -> None:
    check = pytest_on(tmp_path, "unit", "")
    with pytest.raises(UserError, match="none of the tests was chosen"):
        repeat([check], 2, root=tmp_path, say=lambda _: None, load=nullcontext)


def test_a_report_of_what_never_failed() -> None:
    rounds = [Round((result("unit/cli", 1.0),))] * 20
    said = "1 tests, each run 20 times on a loaded machine: none failed"
    assert repeat_report(rounds) == [said]


def test_pytest_that_breaks_is_reported(tmp_path: Path) -> None:
    check = program("unit", "print('no such option'); raise SystemExit(4)", has_tests=True)
    (broken,) = repeat([check], 1, root=tmp_path, say=lambda _: None, load=nullcontext)
    assert repeat_report([broken])[0] == f"pytest itself failed: {broken.log}"


def test_a_loaded_machine_is_left_as_it_was() -> None:
    with loaded_machine() as busy:
        assert busy
        assert all(Path(f"/proc/{pid}").exists() for pid in busy)
    assert not any(Path(f"/proc/{pid}").exists() for pid in busy)
