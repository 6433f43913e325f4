"""The HTTP of an archiver: the native API under /api/v1, and a page for people at /."""

from __future__ import annotations

from fastapi import Depends, FastAPI

from linacre.archiver.http.api import Api, may_change, may_read
from linacre.archiver.http.errors import CHANGE_PROBLEMS, PROBLEMS, tell_errors
from linacre.archiver.http.guard import Guard
from linacre.archiver.http.pages import serve_page
from linacre.archiver.http.parameters import known_only
from linacre.archiver.http.routes import changes, data, live, pvs, system
from linacre.archiver.http.settings import HttpSettings
from linacre.archiver.service import Control, Reader
from linacre.base.clock import Clock, SystemClock

API_VERSION = "1.1"
"""Of the API, not of the program: its second number grows with what is added, its first where
something is taken away."""
PREFIX = "/api/v1"
_DESCRIPTION = """\
Reads an archive and changes what its archiver archives.

Times in requests may be written in many ways, see `start` of `/api/v1/samples`; times in answers
are integers, nanoseconds since 1970 (UTC). They are larger than a JavaScript number holds exactly
(by up to 128 ns); ask for `times=iso` where that matters. JSON is strict: NaN and infinities are
null; Arrow, Parquet and CSV keep them. A wrong request is answered with `{"detail": "one line"}`.
"""


def make_app(
    reader: Reader, control: Control, settings: HttpSettings, *, clock: Clock | None = None
) -> FastAPI:
    """Return the app that serves an archive; nothing is begun before it is served."""
    # FastAPI's own pages of documentation load their scripts from the internet.
    app = FastAPI(
        title="Linacre archiver",
        version=API_VERSION,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
    )
    app.add_middleware(Guard, names=settings.names)
    app.state.api = Api(reader, control, settings, clock or SystemClock())
    tell_errors(app)
    reads = [Depends(may_read), Depends(known_only)]
    alters = [Depends(may_change), Depends(known_only)]
    app.include_router(system.open_router, responses={})
    for router in (system.router, pvs.router, data.router):
        app.include_router(router, prefix=PREFIX, dependencies=reads, responses=PROBLEMS)
    app.include_router(
        changes.router, prefix=PREFIX, dependencies=alters, responses=CHANGE_PROBLEMS
    )
    app.include_router(live.router, prefix=PREFIX)
    app.include_router(system.metrics_router, dependencies=reads)
    serve_page(app)
    return app
