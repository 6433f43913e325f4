"""Where an IOC's own files come from: a folder, or a git repository at a revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from linacre.declaration.models.part import Part
from linacre.declaration.models.values import Line, TreePath
from linacre.documents.quoting import quoted

_GIT_URL = r"(https?|ssh|git|file)://\S+$|[A-Za-z0-9_][\w.-]*@[A-Za-z0-9_][\w.-]*:\S+$"


def _git_url(value: str) -> str:
    if re.search(r"://[^/@]*:[^/@]*@", value):
        raise ValueError(
            "the URL holds a password (not shown here); write it without, "
            "and give git a credential helper or an SSH key"
        )
    if not re.match(_GIT_URL, value):
        raise ValueError(
            f"{quoted(value)} is not a git URL; "
            "write one like https://gitlab.example.org/iocs/s02-mag.git"
        )
    return value


def _revision(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*", value) or ".." in value:
        raise ValueError(f"{quoted(value)} is not a tag, branch or commit")
    return value


class FolderSource(Part):
    """An IOC's files in a folder beside the facility file."""

    folder: Line = Field(
        description="The folder, relative to the facility file.",
        examples=["iocs/s02-mag"],
        min_length=1,
    )


class GitSource(Part):
    """An IOC's files in a git repository."""

    git: Annotated[str, AfterValidator(_git_url)] = Field(
        description="The URL of the repository, without a password.",
        examples=["https://gitlab.example.org/iocs/s02-mag.git"],
    )
    revision: Annotated[Line, AfterValidator(_revision)] = Field(
        description="The tag, branch or commit to take.", examples=["v1.2"]
    )
    folder: TreePath | None = Field(
        default=None,
        description="The folder of the repository that holds the IOC; without it, the top.",
        examples=["iocs/s02-mag"],
    )


def _which(value: Any) -> str:
    git = isinstance(value, GitSource) or (
        isinstance(value, Mapping) and ("git" in value or "revision" in value)
    )
    return "GitSource" if git else "FolderSource"


def _from_text(value: Any) -> Any:
    if isinstance(value, str) and value:
        return {"folder": value}
    if isinstance(value, Mapping | FolderSource | GitSource):
        return value  # pyright: ignore[reportUnknownVariableType]  # pydantic checks it next
    raise ValueError(f"{quoted(value)} is not a source; write a folder, such as iocs/s02-mag")


Source = Annotated[
    Annotated[FolderSource, Tag("FolderSource")] | Annotated[GitSource, Tag("GitSource")],
    Discriminator(_which),
    BeforeValidator(_from_text, json_schema_input_type=str | FolderSource | GitSource),
]
"""A folder beside the facility file, or a git repository at a revision."""
