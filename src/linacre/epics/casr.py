"""Who is connected to an IOC, as its IOC shell tells: the question, and the answer read.

The answer goes into a file, so that the console and its log keep three short lines, however many
PVs and channels there are. Only the pvAccess server of before PVXS cannot write into a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import PurePosixPath

CLEAR_LINE = "\x15\n"
"""Ctrl-U, so that what somebody has half typed is not run; then a line that brings a prompt."""
CHANNEL_ACCESS, PV_ACCESS = "Channel Access", "pvAccess"
_MARK = "linacre who"

_ESCAPE = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
# `>>> ` is a Python prompt, which takes no command of ours.
_PROMPT = re.compile(r"^[^\s>]{0,60}>(?!>)", re.MULTILINE)
_PLACE = r"(\[[^\]\n]+\]|[\d.]+):(\d+)"
_CA = re.compile(rf"TCP client at {_PLACE} '([^\n]*)':\s+User '([^\n]*?)', V")
_PVA = re.compile(rf"Peer{_PLACE} backlog=")
_PVA_OLD = re.compile(
    rf"^  tcp://{_PLACE} [^\n]* user: \w+/([^\n]*?)(?:@[^\n]*?)?"
    r"(?: groups:[^\n]*?)?(?: aux\. auth\.:\n(?P<more>(?: {4,}[^\n]*\n)*))?$",
    re.MULTILINE,
)
_PVA_OLD_HOST = re.compile(r"^ +string host ([^\n]*)$", re.MULTILINE)
_PVA_USER = re.compile(rf"^[ \t]*(?:Cred: )?\w+/([^\n]*?)@{_PLACE}", re.MULTILINE)


@dataclass(frozen=True)
class Peer:
    """A client as the IOC knows it."""

    address: IPv4Address
    port: int
    protocol: str
    user: str | None
    """The user that the client says it is; None where it says nothing."""
    host: str | None
    """The host that the client says it is on; the pvAccess server does not tell it."""


def has_prompt(shown: bytes) -> bool:
    """Tell whether an IOC shell has shown its prompt on a console since it was joined."""
    return _PROMPT.search(_plain(shown)) is not None


def _plain(shown: bytes) -> str:
    return _ESCAPE.sub("", shown.decode(errors="replace")).replace("\r", "")


def question(file: PurePosixPath, *, mark: str) -> str:
    """Return the lines to type into the IOC shell; the answer is in `file`, ended by the mark."""
    # Below level 3 pvxsr tells no user.
    asked = (f'casr 1 > "{file}"', f'pvxsr 3 >> "{file}"', f'echo "{_MARK} {mark}" >> "{file}"')
    return "".join(f"{line}\n" for line in asked)


def old_question(*, mark: str) -> str:
    """Return the lines that ask a pvAccess server of before PVXS; it answers on the console."""
    # Below level 3 it tells no host, and at level 1 it stops after one client.
    return f'pvasr 3\necho "{_MARK} {mark}"\n'


def needs_old_question(answer: str) -> bool:
    """Tell whether the IOC has no PVXS, and so told nothing of pvAccess."""
    return "EPICS_PVAS_" not in answer


def old_answer(shown: bytes, *, mark: str) -> str | None:
    """Return what a console has shown up to the mark; None where the mark has not come yet."""
    text = _plain(shown)
    # The terminal's echo of the question has it too, after a quotation mark.
    ended = re.search(rf'(?<!"){_MARK} {mark}', text)
    return text[: ended.start()] if ended else None


def mark_of(answer: str) -> str | None:
    """Return the mark that ends an answer; None where it is not whole yet."""
    last = answer.rstrip("\n").rpartition("\n")[2]
    is_whole = answer.endswith("\n") and last.startswith(f"{_MARK} ")
    return last.removeprefix(f"{_MARK} ") if is_whole else None


def peers(answer: str) -> list[Peer]:
    """Return the clients that `casr` 1, `pvxsr` 3 (PVXS 1) and `pvasr` 3 tell; IPv4 only."""
    found: list[Peer] = []
    for place, port, host, user in _CA.findall(answer):
        if (address := _address(place)) is not None:
            found.append(Peer(address, int(port), CHANNEL_ACCESS, user or None, host or None))
    users = {(place, port): user for user, place, port in _PVA_USER.findall(answer)}
    for place, port in _PVA.findall(answer):
        if (address := _address(place)) is not None:
            user = users.get((place, port)) or None
            found.append(Peer(address, int(port), PV_ACCESS, user, None))
    for old in _PVA_OLD.finditer(answer):
        if (address := _address(old[1])) is not None:
            host = _PVA_OLD_HOST.search(old["more"] or "")
            name = host[1].strip() if host else ""
            found.append(Peer(address, int(old[2]), PV_ACCESS, old[3] or None, name or None))
    return found


def _address(text: str) -> IPv4Address | None:
    """Read an address; PVXS listens on IPv6 and shows IPv4 clients as [::ffff:10.0.0.1]."""
    try:
        found = ip_address(text.strip("[]"))
    except ValueError:
        return None
    return found if isinstance(found, IPv4Address) else found.ipv4_mapped
