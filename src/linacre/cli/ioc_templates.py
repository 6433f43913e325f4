"""`linacre ioc templates`: what new IOCs are made from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import FileOption, JsonOption, put

if TYPE_CHECKING:
    from linacre.declaration.ioc_templates import Broken, Template

app = typer.Typer()


@app.command()
def templates(
    name: Annotated[
        str | None, typer.Argument(metavar="[TEMPLATE]", help="One of them, with its entry.")
    ] = None,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the templates of IOCs with their settings, a group's own and Linacre's."""
    from linacre.cli.render import print_json
    from linacre.declaration.ioc_templates import get_template, list_templates

    folder = _facility_folder(file)
    if name is None:
        found = list_templates(folder)
        if as_json:
            print_json([_plain(each) for each in found])
            return
        _show_templates(found)
        return
    template = get_template(name, folder)
    if as_json:
        print_json(_plain(template))
        return
    put(f"{template.name}: {template.description}")
    put(f"in {template.folder}")
    for key, setting in template.settings.items():
        default = "required" if setting.default is None else f"else {setting.default or 'empty'}"
        put(f"  --set {key}=...  {setting.description} ({default})")
    put(template.entry, nl=False)


def _facility_folder(file: Path | None) -> Path | None:
    """Return the folder of the facility that is meant; None where there is none: Linacre's then."""
    from linacre.base.errors import UserError
    from linacre.base.paths import StatePaths
    from linacre.session.find import find_facility
    from linacre.session.state import known_facilities

    known = {note.facility: note.file for note in known_facilities(StatePaths.from_environment())}
    try:
        choice = find_facility(file, here=Path.cwd(), up=lambda: known)
    except UserError:
        if file is not None:
            raise
        return None
    return (choice.file or known[choice.name or ""]).absolute().parent


def _plain(each: Template | Broken) -> dict[str, object]:
    from linacre.declaration.ioc_templates import Broken

    if isinstance(each, Broken):
        return {"name": each.name, "problem": each.problem}
    return {
        "name": each.name,
        "description": each.description,
        "folder": str(each.folder),
        "own": each.is_own,
        "settings": {
            key: {
                "description": setting.description,
                "default": setting.default,
                "required": setting.default is None,
            }
            for key, setting in each.settings.items()
        },
        "problem": None,
    }


def _show_templates(found: list[Template | Broken]) -> None:
    from linacre.cli.render import print_table
    from linacre.declaration.ioc_templates import Broken

    rows: list[list[str]] = []
    for each in found:
        if isinstance(each, Broken):
            rows.append([each.name, "", f"cannot be used: {each.problem}"])
            continue
        settings = (
            key if setting.default is None else f"[{key}]" for key, setting in each.settings.items()
        )
        rows.append([each.name, " ".join(settings), each.description])
    print_table(["TEMPLATE", "SETTINGS", "DESCRIPTION"], rows)
