"""Templates of new IOCs: what they ask for, what they make, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.declaration.ioc_templates import Broken, Template, get_template, list_templates
from linacre.documents.document import parse
from linacre.operations.changes.filling import copy_files, fill_files, filled_entry

OWN = """\
description: A supply of ours
settings:
  PREFIX: {description: The prefix, default: CLA-@NAME_UPPER@}
  RACK:
    description: Where it stands
    required: true
ioc: # made by the group
  kind: softioc
  # In @RACK@.
  source: "iocs/@NAME@"
  address: "@ADDRESS@"
  description: "In @RACK@"
  environment: {P: "@PREFIX@", "@RACK@": x}
# for nobody
"""
BUILT_IN = {"NAME": "mag", "NAME_UPPER": "MAG", "ADDRESS": "10.1.0.11", "FACILITY": "x"}


def group(folder: Path, name: str = "supply", text: str = OWN) -> Path:
    own = folder / "templates" / name
    own.mkdir(parents=True, exist_ok=True)
    (own / "template.yaml").write_text(text)
    return own


def problem(folder: Path, text: str) -> str:
    group(folder, text=text)
    with pytest.raises(UserError) as caught:
        get_template("supply", folder)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"{folder}/templates/supply/template.yaml:")
    return said.removeprefix(f"{folder}/templates/supply/template.yaml:")


def test_linacre_has_three(tmp_path: Path) -> None:
    found = [each for each in list_templates(tmp_path) if isinstance(each, Template)]
    assert [each.name for each in found] == ["binary", "python", "softioc"]
    assert all(each.description and not each.is_own for each in found)
    required = [key for key, each in found[0].settings.items() if each.default is None]
    assert required == ["TREE", "START"]
    assert found[2].settings["PREFIX"].default == "@NAME_UPPER@:"


def test_a_groups_own_come_first_and_a_broken_one_breaks_no_other(tmp_path: Path) -> None:
    group(tmp_path)
    group(tmp_path, "softioc")
    group(tmp_path, "bad", "ioc: {")
    found = {each.name: each for each in list_templates(tmp_path)}
    assert [*found] == ["bad", "binary", "python", "softioc", "supply"]
    assert isinstance(found["bad"], Broken)
    assert get_template("softioc", tmp_path).is_own
    (tmp_path / "templates" / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty/template.yaml: no such file"):
        get_template("empty", tmp_path)


def test_settings_are_filled_in_everywhere(tmp_path: Path) -> None:
    own = group(tmp_path)
    (own / "files" / "db").mkdir(parents=True)
    (own / "files" / "db" / "@NAME@.db").write_text("$(P) ${Q} @NAME@ @OTHER@ a@b @RACK@\n")
    (own / "files" / "binary").write_bytes(b"\0@NAME@\xff")
    (own / "files" / "run.sh").write_text("#!/bin/sh\n")
    (own / "files" / "run.sh").chmod(0o755)
    (own / "files" / "link").symlink_to("db/@NAME@.db")
    template = get_template("supply", tmp_path)
    values = template.values({"RACK": "rack 12: left"}, BUILT_IN)
    entry = filled_entry(template, values, step=4)
    assert entry == (
        "ioc: # made by the group\n"
        "    kind: softioc\n"
        "    # In rack 12: left.\n"
        "    source: iocs/mag\n"
        "    address: 10.1.0.11\n"
        '    description: "In rack 12: left"\n'
        '    environment: {P: CLA-MAG, "rack 12: left": x}\n'
    )
    target = tmp_path / "iocs" / "mag"
    assert fill_files(template, values, target)
    assert (target / "db" / "mag.db").read_text() == "$(P) ${Q} mag @OTHER@ a@b rack 12: left\n"
    assert (target / "binary").read_bytes() == b"\0@NAME@\xff"
    assert (target / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (target / "link").resolve() == target / "db" / "mag.db"
    # Cut short and given again.
    assert not fill_files(template, values, target)
    (target / "run.sh").write_text("mine\n")
    with pytest.raises(UserError, match=r"iocs/mag is there already; choose another name"):
        fill_files(template, values, target)
    assert [each.name for each in (tmp_path / "iocs").iterdir()] == ["mag"]
    assert copy_files(target, tmp_path / "iocs" / "other")
    assert (tmp_path / "iocs" / "other" / "link").is_symlink()


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    group(tmp_path)
    template = get_template("supply", tmp_path)

    def said(**given: str) -> str:
        with pytest.raises(UserError) as caught:
            template.values(given, BUILT_IN)
        return str(caught.value)

    assert said() == "the template supply needs --set RACK=... (Where it stands)"
    assert said(RAK="1") == "the template supply has no setting RAK; write RACK"
    assert said(X="1").endswith("has no setting X; it has: PREFIX, RACK")
    assert said(NAME="x") == "NAME is given by the command; leave --set NAME out"
    assert "write --address" in said(ADDRESS="x")
    assert "one line" in said(RACK="a\nb")
    with pytest.raises(UserError, match="there is no template supplys; write supply"):
        get_template("supplys", tmp_path)
    with pytest.raises(UserError, match=r"there is no template \.\./x; there are: binary"):
        get_template("../x", tmp_path)


def test_a_template_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    assert problem(tmp_path, "ioc:\n  address: @X@\n").startswith("2: not valid YAML: a value that")
    assert problem(tmp_path, "").startswith("1: write description: and ioc:")
    assert problem(tmp_path, "ioc:\n  kind: x\nfiles: y\n").startswith("3: files: unknown key")
    assert problem(tmp_path, "description: x\n").startswith("1: ioc: write what")
    assert problem(tmp_path, OWN.replace("RACK:\n", "rack:\n")) == (
        "4: settings.rack: rack is no key; write one like RACK"
    )
    assert problem(tmp_path, OWN.replace("required: true", "")).startswith("4: settings.RACK: has")
    assert problem(tmp_path, OWN.replace("required: true", "required: yes")).startswith("6: ")
    assert problem(tmp_path, OWN.replace('"@ADDRESS@"', '"@ADRESS@"')) == (
        "11: @ADRESS@ is no setting; write one of ADDRESS, FACILITY, NAME, NAME_UPPER, PREFIX, RACK"
    )
    assert problem(tmp_path, OWN.replace("RACK:\n", "NAME:\n")).startswith("4: settings.NAME: this")


def test_a_built_tree_may_be_in_a_repository(tmp_path: Path) -> None:
    template = get_template("binary", tmp_path)

    def source(tree: str) -> object:
        values = template.values({"TREE": tree, "START": "iocBoot/iocx/st.cmd"}, BUILT_IN)
        return parse(filled_entry(template, values, step=2)).data["ioc"]["source"]

    assert source("/srv/my iocs/x") == "/srv/my iocs/x"
    url = "https://git.example.org/iocs/x.git"
    assert source(f"{url}#v1.2") == {"git": url, "revision": "v1.2"}
    assert source("git@git.example.org:x.git#main") == {
        **{"git": "git@git.example.org:x.git", "revision": "main"}
    }
    with pytest.raises(UserError, match="needs a revision; write it behind the URL"):
        source(url)
