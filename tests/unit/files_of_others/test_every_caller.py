"""Who takes files of machines or repositories goes by `base.enclosed`, and opens none itself."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import linacre

SOURCE = Path(linacre.__file__).parent
ENCLOSED = "linacre.base.enclosed"

TAKERS = {
    # A folder beside the facility file, or a repository: up, twin, swap, rebuild, clone, rename.
    "declaration/check_files.py": "UnsafeNameError head_of_named",
    "declaration/fetching.py": "Limits TooMuchError UnsafeNameError walk",
    "declaration/sources.py": (
        "Below Kind Limits LinkOnWayError UnsafeNameError head_of_named read_given walk"
    ),
    "engines/model.py": "read_given",
    "operations/changes/filling.py": "EnclosedFolder Entry Kind UnsafeNameError read_given walk",
    # A machine: diff, swap, promote, rebuild of the catalogue, logs, reports, start errors, who.
    "engines/incus/inside.py": "Below UnsafeNameError",
    "engines/process/files.py": "Below EnclosedFolder UnsafeNameError",
    "kinds/ioc/file_tree.py": (
        "EnclosedFolder TooMuchError UnsafeNameError check_nesting inner_path link_target"
    ),
    # What a machine or a repository had: history, rollback.
    "operations/history/kept_files.py": "Below",
    # The folder of an IOC on a server, and what it names or leads to: import.
    "operations/importing/copying.py": "EnclosedFolder UnsafeNameError open_named read_plain",
    "operations/importing/elf.py": "UnsafeNameError",
    "operations/importing/examine.py": "UnsafeNameError",
    "operations/importing/listing.py": (
        "Kind NamedFolder TooMuchError UnsafeNameError inner_path link_target open_named"
    ),
    "operations/importing/locate.py": "UnsafeNameError",
    "operations/importing/lookup.py": "UnsafeNameError",
    "operations/importing/matching.py": "Kind NamedFolder UnsafeNameError",
    "operations/importing/other_builds.py": "UnsafeNameError",
    "operations/importing/program.py": "UnsafeNameError",
    "operations/importing/python_script.py": "UnsafeNameError read_named",
    "operations/importing/reading.py": "UnsafeNameError head_of_named open_named read_named",
    "operations/importing/settle.py": "Limits UnsafeNameError walk",
    "operations/importing/support_modules.py": "UnsafeNameError",
    "operations/importing/units.py": "UnsafeNameError",
}
"""What takes files of others, and what of the one module it uses."""

OWN = {
    "the kernel's": """
        base/kernel_files.py: kernel_text
        base/processes.py: _boot_id all_processes
        engines/incus/arp.py: owners
        engines/incus/daemon.py: _has_capabilities
        engines/incus/files.py: _noted
        engines/incus/leftovers.py: mounts_below loops_below serves _inside _roots
        engines/incus/leftovers.py: clear_control_groups
        engines/incus/links.py: attribute
        engines/incus/netns.py: network_of
        engines/incus/quotas.py: Quotas.keep Quotas._groups
        engines/incus/walls.py: Walls._lay Walls._is_laid
        engines/process/ports.py: _listening _command
        engines/process/processes.py: find_marked _own_pids
        engines/process/reach.py: Reach.clients
        images/build.py: _mounts_below
        observing/ceilings.py: read_host _pressure _hierarchies
        observing/doctor/mount_checks.py: mounts_answer
        """,
    "Linacre's own: its state folder, its programs, its logs": """
        base/alone.py: alone
        base/log.py: JsonFile.__init__
        base/processes.py: ProcessId.noted ProcessId.note spawn_detached
        catalogue/logs.py: Tail.lines
        catalogue/migrate.py: keep_copy
        catalogue/rescue.py: _says_known_formats
        cli/checks/budget.py: read_budget
        cli/checks/repeating.py: _once
        cli/main.py: _have_standard_streams _drop_output
        engines/incus/cable.py: Cables.prepare Cables._bridges
        engines/incus/daemon.py: EmbeddedDaemon._forking EmbeddedDaemon._last_word
        engines/incus/inside.py: _root_of
        engines/incus/payload.py: to_tar
        engines/incus/records.py: write_record
        engines/incus/pool.py: _preallocate
        engines/incus/quotas.py: _opened
        engines/incus/storage.py: _fingerprint ensure_image
        engines/incus/walls.py: Walls._ports Walls._gates
        engines/process/clients.py: lay_tools
        engines/process/files.py: write_json read_json
        engines/process/program.py: Program._spawn
        images/apt.py: Apt.prepare fetch_archive _write_index
        images/build.py: _build _pack _one_at_a_time
        images/packages.py: _make_stand_ins
        images/process.py: Tool.run Tool.output_of
        images/recipe.py: Recipe.load _digest
        images/wheel.py: pack_wheel
        images/wheels.py: fetch_wheels
        operations/bundle.py: make_bundle
        operations/systemd_unit.py: Systemd.enable Systemd.is_current
        session/lock.py: FacilityLock._try FacilityLock._holder
        session/state.py: read_note write_note
        """,
    "named by the operator, in the facility file or a command": """
        accelerator/machine/saving.py: save
        declaration/check_files.py: _archivers
        declaration/editing/rewrite.py: draft _replace
        declaration/ioc_templates.py: _read
        documents/reading.py: _content
        images/bundle.py: write_bundle _write_part _add
        kinds/archiver/patterns.py: said_pvs
        observing/doctor/certificate_checks.py: _read
        operations/changes/new_archiver.py: _meant
        """,
    "a bundle, of which programs are run as root: checked by its digests": """
        images/bundle_unpack.py: _opened _member _extract _write _is_taken _take_mirror
        """,
    "the host's": """
        epics/reader.py: _hosts
        images/sources.py: read_sources host_codename
        operations/importing/libraries.py: _system_folders
        """,
    "inside the machine itself": """
        epics/frameworks.py: IocState.tell_pvs IocState.add_pvs IocState.tell_booted
        """,
    "in memory: an archive of a machine, taken apart and checked name by name": """
        kinds/ioc/file_tree.py: _unpacked
        """,
    "a machine of the process engine, whose programs are this user's own": """
        engines/process/files.py: remove_tree
        operations/changes/renamed_machine.py: _copy_folder
        """,
}
"""What opens files itself, and whose these are."""

OF_PATHS = {"read_text", "read_bytes", "write_text", "write_bytes", "extractall", "extractfile"}
OF_MODULES = {
    "io": {"open"},
    "os": {"open", "walk", "fwalk", "scandir", "mknod", "mkfifo"},
    "shutil": {
        *("copy", "copy2", "copyfile", "copyfileobj", "copytree", "move", "unpack_archive"),
    },
    "tarfile": {"open"},
    "zipfile": {"ZipFile"},
}


def opening(node: ast.AST) -> str | None:
    """Return what opens or copies a file by its path, called or handed on; None for all else."""
    match node:
        case ast.Name(id="open", ctx=ast.Load()):
            return "open"
        case ast.Attribute(value=ast.Name(id=of), attr=name) if of in OF_MODULES:
            return f"{of}.{name}" if name in OF_MODULES[of] else None
        case ast.Attribute(attr=name) if name in OF_PATHS:
            return f"Path.{name}"
        case ast.ImportFrom(module=of, names=names) if of in OF_MODULES:
            there = OF_MODULES[of].intersection(alias.name for alias in names)
            return f"{of}.{min(there)}" if there else None
        case ast.Call(func=ast.Attribute(attr="open"), args=args, keywords=keywords):
            # A path's: without words, or with a mode. Others open databases and browsers.
            by_path = isinstance(args[0], ast.Constant) if args else not keywords
            return "Path.open" if by_path else None
    return None


def openings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each function in which a file is opened by its path, and with what."""
    # Who is waited for is an engine or a database.
    awaited = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Await)}

    def below(node: ast.AST, where: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            here = where
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                here = (*where, child.name)
            what = None if id(child) in awaited else opening(child)
            if what is not None:
                yield ".".join(here), what
            yield from below(child, here)

    return below(tree, ())


def taken(tree: ast.Module) -> str:
    """Return what a module imports of the one module, in order."""
    names = (
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(ENCLOSED)
        for alias in node.names
    )
    return " ".join(sorted(names))


def own() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for listed in OWN.values():
        for line in listed.strip().splitlines():
            module, _, functions = line.strip().partition(": ")
            found[module] |= {*functions.split()}
    return found


def strangers(modules: Mapping[str, ast.Module]) -> list[str]:
    """Return what is not as the lists above say, a line each."""
    allowed = own()
    wrong: list[str] = []
    for name, tree in modules.items():
        if taken(tree) != " ".join(sorted(TAKERS.get(name, "").split())):
            wrong.append(f"{name} uses {taken(tree) or 'nothing'} of {ENCLOSED}")
        wrong += [
            f"{name}: {function or 'it'} opens files with {what}"
            for function, what in openings(tree)
            if function not in allowed.get(name, ())
        ]
    return wrong


def of_the_house() -> dict[str, ast.Module]:
    found: dict[str, ast.Module] = {}
    for file in sorted(SOURCE.rglob("*.py")):
        name = file.relative_to(SOURCE).as_posix()
        # The archiver has its own files alone, in its own machine.
        if not name.startswith(("archiver/", "base/enclosed/")):
            found[name] = ast.parse(file.read_text())
    return found


def test_every_caller_goes_by_the_one_module() -> None:
    assert strangers(of_the_house()) == []


def test_the_lists_name_nothing_that_is_not_there() -> None:
    house = of_the_house()
    there = {name: {function for function, _ in openings(tree)} for name, tree in house.items()}
    assert {*TAKERS} <= {*house}
    assert {name: gone for name, listed in own().items() if (gone := listed - there[name])} == {}


BAD = """
import os, shutil, tarfile
from pathlib import Path

def take(tree: Path, archive: Path) -> bytes:
    {line}
"""


@pytest.mark.parametrize(
    "line",
    [
        "return (tree / 'st.cmd').read_bytes()",
        "return (tree / 'st.cmd').read_text().encode()",
        "return (tree / 'st.cmd').open('rb').read()",
        "return (tree / 'st.cmd').open().read()",
        "return open(tree / 'st.cmd', 'rb').read()",
        "return os.read(os.open(tree, os.O_RDONLY), 10)",
        "return shutil.copy(tree, archive)",
        "return shutil.copytree(tree, archive, symlinks=True)",
        "return tarfile.open(archive).extractall(tree)",
        "return (tree / 'st.cmd').write_bytes(b'')",
        "return asyncio.to_thread((tree / 'st.cmd').read_bytes)",
        "return asyncio.to_thread(shutil.copytree, tree, archive)",
        "from shutil import copyfile as copy; return copy(tree, archive)",
        "return [where for where, _, _ in os.walk(tree)]",
    ],
)
@pytest.mark.parametrize(
    "name", ["operations/twins/files.py", "kinds/ioc/kind.py", "operations/importing/take.py"]
)
def test_a_new_caller_that_goes_by_is_told(name: str, line: str) -> None:
    bad = ast.parse(BAD.format(line=line))
    assert any(f"{name}: take opens files with " in each for each in strangers({name: bad}))


def test_a_new_caller_of_the_one_module_must_be_listed() -> None:
    new = ast.parse(f"from {ENCLOSED} import walk")
    assert strangers({"operations/twins/files.py": new}) == [
        f"operations/twins/files.py uses walk of {ENCLOSED}"
    ]
