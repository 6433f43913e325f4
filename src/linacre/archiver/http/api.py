"""What every route needs, and who may ask what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, HTTPException, Query
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from linacre.archiver.http.blocking import Blocking
from linacre.archiver.http.settings import HttpSettings
from linacre.archiver.http.times import WRITTEN, parse_time
from linacre.archiver.model import NANOSECONDS
from linacre.archiver.service import Control, Reader
from linacre.base.clock import Clock
from linacre.base.errors import UserError


@dataclass(frozen=True)
class Api:
    """An archiver, as its routes see it."""

    reader: Reader
    control: Control
    settings: HttpSettings
    clock: Clock
    blocking: Blocking = field(default_factory=Blocking)

    def now_ns(self) -> int:
        """Return the present time."""
        return int(self.clock.now() * NANOSECONDS)

    def time(self, text: str, what: str) -> int:
        """Return a time of a request; `UserError` names the parameter `what`."""
        return parse_time(text, now_ns=self.now_ns(), what=what)

    def span(self, start: str, end: str) -> tuple[int, int]:
        """Return the two ends of a time range; `UserError` where they are wrong."""
        start_ns, end_ns = self.time(start, "start"), self.time(end, "end")
        if start_ns > end_ns:
            raise UserError(f"start: {start!r} is later than the end {end!r}: exchange them")
        return start_ns, end_ns


def api_of(connection: HTTPConnection) -> Api:
    """Return the archiver that an app serves."""
    return connection.app.state.api


ApiOf = Annotated[Api, Depends(api_of)]

_bearer = HTTPBearer(
    auto_error=False,
    description="A token of the archiver's tokens' file; needed only where it has such a file.",
)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def _check(api: Api, given: HTTPAuthorizationCredentials | None) -> None:
    if given is None or not api.settings.accepts(given.credentials):
        why = "needs a token" if given is None else "does not know this token"
        raise HTTPException(
            401,
            f"this archiver {why}: send the header Authorization: Bearer TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )


def may_read(api: ApiOf, given: _Credentials) -> None:
    """Refuse a request to read without a token, where reading needs one."""
    if api.settings.tokens and api.settings.protect_reading:
        _check(api, given)


def may_change(api: ApiOf, given: _Credentials) -> None:
    """Refuse a request to change something without a token, where there are any."""
    if api.settings.tokens:
        _check(api, given)


Pv = Annotated[str, Query(description="The PV's name.", min_length=1)]
Start = Annotated[str, Query(description=f"The begin of the time range: {WRITTEN}.")]
End = Annotated[str, Query(description="The end of the time range, written as `start`.")]
Pattern = Annotated[
    str, Query(description="A glob pattern for names: `*` any characters, `?` one, `[abc]` one of.")
]


def escaped(pv: str) -> str:
    """Return the glob pattern that only one name matches."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in pv)
