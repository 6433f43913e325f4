"""The page for people: its files, which need nothing from any other place."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "page"


def _hashes_of_scripts(html: str) -> str:
    """Return the sources, as a content security policy has them, of the scripts within a page."""
    found = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in found)
    return " ".join(f"'sha256-{one}'" for one in hashes)


_SCRIPTS = _hashes_of_scripts((FOLDER / "index.html").read_text(encoding="utf-8"))
_HEADERS = {
    # Names of PVs are data: whatever they hold, no script of theirs is run.
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self' {_SCRIPTS}; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Asked for again each time, and answered with 304: never an old script with a new archiver.
    "Cache-Control": "no-cache",
}


class _Files(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_HEADERS)
        return response


def serve_page(app: FastAPI) -> None:
    """Serve the page at `/` and its files under `/page/`."""

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:  # pyright: ignore[reportUnusedFunction]
        return FileResponse(FOLDER / "index.html", headers=_HEADERS)

    app.mount("/page", _Files(directory=FOLDER), name="page")
