"""Makes docs/reference/archiver-openapi.json from the code: `python docs/make_archiver_api.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from linacre.archiver.http.app import make_app
from linacre.archiver.http.settings import HttpSettings

PAGE = Path(__file__).parent / "reference/archiver-openapi.json"


def text() -> str:
    """Return the description of the API of an archiver; it needs no archive for that."""
    nothing = cast("Any", None)
    app = make_app(nothing, nothing, HttpSettings())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text())
