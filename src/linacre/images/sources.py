"""The Debian archive that this machine itself uses, read from its APT sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import UserError

_ARCHIVE_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_POCKETS = ("", "-updates", "-security")


@dataclass(frozen=True)
class AptSource:
    """One archive and suite of binary packages, as APT's sources name it."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str | None = None
    """A keyring file; None where the source leaves it to APT's own keys."""

    def line(self) -> str:
        """Return the source in the one-line format, trusting Debian's archive keyring at least."""
        keyring = self.signed_by or _ARCHIVE_KEYRING
        return f"deb [signed-by={keyring}] {self.uri} {self.suite} {' '.join(self.components)}"


def parse_deb822(text: str) -> Iterator[AptSource]:
    """Yield the enabled binary sources of a `.sources` file."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or _is_off(fields.get("enabled", "yes")):
            continue
        key = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield AptSource(
                    uri=uri.rstrip("/"),
                    suite=suite,
                    components=tuple(fields.get("components", "").split()),
                    signed_by=key if key.startswith("/") else None,
                )


def _is_off(value: str) -> bool:
    return value.lower() in ("no", "false", "without", "off", "disable", "0")


_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<rest>.+)$")


def parse_one_line(text: str) -> Iterator[AptSource]:
    """Yield the binary sources of a `.list` file."""
    for raw in text.splitlines():
        match = _ONE_LINE.match(raw.split("#", 1)[0].strip())
        if not match:
            continue
        parts = match["rest"].split()
        if len(parts) < 2:
            continue
        options = dict(
            option.split("=", 1) for option in (match["options"] or "").split() if "=" in option
        )
        yield AptSource(
            uri=parts[0].rstrip("/"),
            suite=parts[1],
            components=tuple(parts[2:]),
            signed_by=options.get("signed-by"),
        )


def read_sources(etc: Path = Path("/etc/apt")) -> list[AptSource]:
    """Return all binary sources under APT's folder, those of sources.list first."""
    found: list[AptSource] = []
    folder = etc / "sources.list.d"
    one_line = [etc / "sources.list", *sorted(folder.glob("*.list"))]
    for path in one_line:
        if path.is_file():
            found.extend(parse_one_line(path.read_text(errors="replace")))
    for path in sorted(folder.glob("*.sources")):
        found.extend(parse_deb822(path.read_text(errors="replace")))
    return found


def sources_for(suite: str, have: Iterable[AptSource], *, codename: str) -> list[AptSource]:
    """Return where `suite`, its updates and its security updates are, on the archives in use.

    `codename` is the release that the machine itself runs. Raises `UserError` where none of the
    sources is a Debian archive of it.
    """
    chosen: dict[str, AptSource] = {}
    for source in have:
        name = source.suite.replace("/updates", "-security")
        for pocket in _POCKETS:
            if name in (codename + pocket, "stable" + pocket) and "main" in source.components:
                chosen.setdefault(
                    pocket,
                    AptSource(source.uri, suite + pocket, ("main",), source.signed_by),
                )
    if "" not in chosen:
        raise UserError(
            f"/etc/apt: no source of Debian {codename} main to build the image from; "
            f"add one, such as the line `deb ARCHIVE {codename} main` in sources.list"
        )
    return list(chosen.values())


def host_codename(os_release: Path = Path("/etc/os-release")) -> str:
    """Return the code name of the release this machine runs, such as bookworm."""
    match = re.search(r'^VERSION_CODENAME="?(\w+)', os_release.read_text(), re.MULTILINE)
    if not match:
        raise UserError(f"{os_release}: no VERSION_CODENAME; images are built on Debian 12 or 13")
    return match[1]
