"""Each trap against each caller: refused in a line or told, and nothing of the host is touched."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import cast

import pytest
from hostile_trees import MANY, SECRET, TRAPS, Trap, host, lay_many, plain
from test_every_caller import TAKERS

from linacre.base.errors import LinacreError
from linacre.base.orders import without_orders
from linacre.base.paths import FacilityPaths
from linacre.base.processes import ProcessId
from linacre.declaration.check_files import _lacks_program  # pyright: ignore[reportPrivateUsage]
from linacre.declaration.ioc_templates import Template
from linacre.declaration.models import FolderSource, GitSource
from linacre.declaration.sources import SourceTree, fetch, source_files
from linacre.engines.base import Completed, Engine, Output, PayloadFile
from linacre.engines.incus.inside import read_inside
from linacre.engines.process.files import read_tail
from linacre.kinds.ioc.file_tree import TreeFile, folder_tree, lay_tree, tree_inside
from linacre.operations.changes.filling import copy_files, fill_files
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.importing.copying import copy, plan_copy
from linacre.operations.importing.examine import examine

Said = list[str]
"""What a caller took and told, as text: what it read, what it shows, its error."""


def _laid(tree: SourceTree, start: str) -> Said:
    said = [str(tree.head(PurePosixPath(start), limit=512))]
    for each in source_files(tree.folder):
        laid = PayloadFile(PurePosixPath("/srv/ioc") / each.path, source=each.file)
        said.append(f"{each.path} -> {each.link}" if each.link else str(laid.content))
    return said


def a_folder(folder: Path, trap: Trap, work: Path) -> Said:
    """A folder beside the facility file, laid into a machine: up, twin, rebuild."""
    source = FolderSource(folder=folder.name)
    tree = asyncio.run(fetch(source, base=folder.parent, paths=FacilityPaths(work), whose="mag"))
    wrong = _lacks_program(PurePosixPath("st.cmd"), folder)
    return [wrong or "", *_laid(tree, "st.cmd")]


def a_repository(folder: Path, trap: Trap, work: Path) -> Said:
    """A repository, laid into a machine."""

    def git(*argv: str) -> None:
        settings = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        command = ["git", "-C", str(folder), *settings, *argv]
        subprocess.run(command, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    source = GitSource(git=f"file://{folder}", revision="main", folder=None)
    paths = FacilityPaths(work / "state")
    return _laid(asyncio.run(fetch(source, base=work, paths=paths, whose="IOC mag")), "st.cmd")


class Machine:
    """A machine whose `tar` is the host's own, in the trapped folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def exec(self, machine: str, argv: Sequence[str], *, output: Output) -> Completed:
        words = [f"--directory={self._folder}" if "--dir" in each else each for each in argv]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tar:
            assert tar.stdout is not None
            try:
                while data := tar.stdout.read(1 << 16):
                    output(1, data)
            finally:
                tar.kill()
        return Completed(0, b"", b"")


def a_machine(folder: Path, trap: Trap, work: Path) -> Said:
    """The files in a machine: diff, swap, rebuild; kept, and laid by a rollback."""
    engine = cast(Engine, Machine(folder))
    tree = asyncio.run(tree_inside(engine, "mag", PurePosixPath("/srv/ioc")))
    kept = KeptFiles(work / "kept")
    said = [str(kept.content(kept.keep(file.content))) for file in tree.values()]
    lay_tree(work / "laid", old={}, new=tree)
    return [*said, *(f"{path} -> {file.link}" for path, file in tree.items() if file.link)]


def a_rollback(folder: Path, trap: Trap, work: Path) -> Said:
    """The present files of a folder, before an earlier state is laid into it."""
    present = folder_tree(folder)
    lay_tree(folder, old=present, new={trap.path: TreeFile(0o644, b"laid")})
    return [str(file.content) for file in present.values()]


def an_import(folder: Path, trap: Trap, work: Path) -> Said:
    """The folder of an IOC on a server."""
    understood = examine(folder, name="mag", engine="incus")
    plan = plan_copy(understood)
    copy(plan, work / "copy")
    files = (path for path in (work / "copy").rglob("*") if not path.is_symlink())
    read = [path.read_bytes().decode() for path in files if path.is_file()]
    found = understood.findings
    return [*plan.left_out, *understood.notes, *found.unknown, *map(str, found.records), *read]


def an_import_in_python(folder: Path, trap: Trap, work: Path) -> Said:
    """A Python IOC on a server, with its unit, its variables and its modules."""
    names = ("own.db", "trap", "d/secret", "st.cmd")
    modules = [name for name in names if (folder / name).is_symlink() or (folder / name).exists()]
    (folder / "ioc.py").write_text("import beside\n" * bool(modules))
    if modules:
        (folder / "beside.py").symlink_to(folder / modules[0])
    unit = folder / "ioc.service"
    unit.write_text(
        f"[Service]\nEnvironmentFile=-{folder}/variables\nExecStart=/usr/bin/procServ 1 ./ioc.py\n"
    )
    (folder / "variables").symlink_to(folder / trap.path)
    understood = examine(folder, name="mag", start="ioc.py", unit=unit, engine="incus")
    return [*understood.notes, str(understood.run.environment)]


def an_import_of_a_program(folder: Path, trap: Trap, work: Path) -> Said:
    """An application with a program of its own, and what the trap is beside it."""
    (folder / "dbd").mkdir()
    (folder / "bin/linux-x86_64").mkdir(parents=True)
    shutil.copy("/bin/true", folder / "bin/linux-x86_64/mag")
    (folder / "bin/linux-x86_64/other").symlink_to(folder / trap.path)
    if not (folder / "st.cmd").is_symlink():
        with (folder / "st.cmd").open("a") as script:
            script.write('create_monitor_set("own.req")\n')
    understood = examine(folder, name="mag", start="st.cmd", engine="incus")
    return [*understood.notes, str(understood.program)]


def a_clone(folder: Path, trap: Trap, work: Path) -> Said:
    """An IOC's own files for another one."""
    copy_files(folder, work / "clone")
    return _read_back(work / "clone")


def a_template(folder: Path, trap: Trap, work: Path) -> Said:
    """A group's template of IOCs."""
    files = work / "template/files"
    files.parent.mkdir()
    folder.rename(files)
    template = Template("t", files.parent, "", {}, "", is_own=True)
    fill_files(template, {}, work / "filled")
    return _read_back(work / "filled")


def _read_back(top: Path) -> Said:
    return [
        f"{path} -> {path.readlink()}" if path.is_symlink() else str(path.read_bytes())
        for path in top.rglob("*")
        if path.is_symlink() or path.is_file()
    ]


def a_running_machine(folder: Path, trap: Trap, work: Path) -> Said:
    """Files below the root of a running machine: logs, reports, start errors, who."""
    paths = [
        PurePosixPath(folder, name) for name in (trap.path, "trap", "st.cmd", "../host/secret")
    ]
    return [str(each) for each in read_inside(ProcessId.own(), paths, limit=1000).values()]


def a_process_machine(folder: Path, trap: Trap, work: Path) -> Said:
    """The same of the process engine."""
    names = (trap.path, "trap", "st.cmd", "../host/secret")
    return [str(read_tail(folder / name, 1000, tops=(folder,))) for name in names]


CALLERS: dict[Callable[[Path, Trap, Path], Said], str] = {
    a_folder: "declaration/check_files.py declaration/sources.py engines/model.py",
    a_repository: "declaration/fetching.py declaration/sources.py engines/model.py",
    a_machine: "kinds/ioc/file_tree.py operations/history/kept_files.py",
    a_rollback: "kinds/ioc/file_tree.py",
    an_import: """
        operations/importing/copying.py operations/importing/examine.py
        operations/importing/listing.py operations/importing/locate.py
        operations/importing/lookup.py operations/importing/matching.py
        operations/importing/other_builds.py operations/importing/program.py
        operations/importing/reading.py
        operations/importing/settle.py
        """,
    an_import_in_python: "operations/importing/python_script.py operations/importing/units.py",
    an_import_of_a_program: "operations/importing/elf.py operations/importing/support_modules.py",
    a_clone: "operations/changes/filling.py",
    a_template: "operations/changes/filling.py",
    a_running_machine: "engines/incus/inside.py",
    a_process_machine: "engines/process/files.py",
}
"""Every way of others' files to Linacre, by the modules of the list of callers that it goes by."""

NOT_IN_A_REPOSITORY = {"pipe", "device", "folders in folders", "file of 5 GiB with a hole"}


def test_every_listed_caller_is_tried() -> None:
    assert {module for listed in CALLERS.values() for module in listed.split()} == {*TAKERS}


def _inventory(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")}


def _is_one_line(text: str) -> bool:
    return not any(unicodedata.category(each) in ("Cc", "Cs") for each in text)


@pytest.mark.skipif(os.geteuid() != 0, reason="the host's files are this user's own")
@pytest.mark.parametrize("caller", CALLERS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("trap", TRAPS, ids=lambda each: each.name)
def test_a_trap_reaches_nothing(
    caller: Callable[[Path, Trap, Path], Said], trap: Trap, tmp_path: Path
) -> None:
    if caller is a_repository and trap.name in NOT_IN_A_REPOSITORY:
        pytest.skip("git keeps no such thing, or would take minutes to")
    there = host(tmp_path / "host")
    folder = plain(tmp_path / "mag")
    trap.lay(folder, there)
    (tmp_path / "work").mkdir()
    try:
        said = caller(folder, trap, tmp_path / "work")
    except LinacreError as error:
        assert _is_one_line(str(error)), error
        said = [str(error)]
    assert not any("of-the-host" in each or "SECRET" in each for each in said)
    assert _inventory(there) == {"secret": SECRET.encode()}
    assert all(_is_one_line(without_orders(each).replace("\n", "")) for each in said)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an IOC with a folder of 200,000 files."""
    folder = plain(tmp_path_factory.mktemp("many") / "mag")
    lay_many(folder / "trap")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "caller", [a_folder, a_machine, a_rollback, an_import, a_clone], ids=lambda each: each.__name__
)
def test_files_without_number_are_refused(
    caller: Callable[[Path, Trap, Path], Said], many: Path, tmp_path: Path
) -> None:
    trap = Trap(f"{MANY} files", lambda folder, there: None)
    with pytest.raises(LinacreError, match=r"more than 100,?000") as caught:
        caller(many, trap, tmp_path)
    assert _is_one_line(str(caught.value))


@pytest.mark.parametrize("limit", ["files", "bytes"])
async def test_a_repository_that_unfolds_without_end_is_not_checked_out(
    limit: str, tmp_path: Path
) -> None:
    """Ten trees of ten trees, and so on; or a file of zeros, which takes no room in git."""
    work = tmp_path / "repository"

    def git(*argv: str, given: bytes = b"") -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(work), *argv]
        return subprocess.run(command, input=given, check=True, capture_output=True).stdout.decode()

    work.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    content = b"" if limit == "files" else bytes(1 << 20)
    leaf = git("hash-object", "-w", "--stdin", given=content).strip()
    tree = git(
        "mktree", given=b"".join(b"100644 blob %b\tf%d\n" % (leaf.encode(), n) for n in range(10))
    )
    for _ in range(6 if limit == "files" else 3):
        entries = (b"040000 tree %b\td%d\n" % (tree.strip().encode(), n) for n in range(10))
        tree = git("mktree", given=b"".join(entries))
    git("update-ref", "refs/heads/main", git("commit-tree", "-m", "x", tree.strip()).strip())
    source = GitSource(git=f"file://{work}", revision="main", folder=None)
    with pytest.raises(LinacreError, match=r"IOC mag: .* holds more than 500,000 files or 8 GiB"):
        paths = FacilityPaths(tmp_path / "state")
        await fetch(source, base=tmp_path, paths=paths, whose="IOC mag")
    assert not any((tmp_path / "state").rglob("f0"))
