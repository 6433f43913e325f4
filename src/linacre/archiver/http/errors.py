"""What goes wrong, as HTTP says it: a status and `{"detail": "one line"}`."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from linacre.archiver.errors import ReadOnlyError
from linacre.archiver.http.models import Problem
from linacre.archiver.service import NoSuchPvError
from linacre.base.errors import LinacreError, UserError

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "Something in the request is wrong."},
    401: {"model": Problem, "description": "The archiver needs a token."},
    403: {"model": Problem, "description": "Another site's page asks."},
    404: {"model": Problem, "description": "There is no such PV."},
    421: {"model": Problem, "description": "The request names another host."},
    422: {"model": Problem, "description": "A parameter is missing, not of its type, or unknown."},
}
CHANGE_PROBLEMS: dict[int | str, dict[str, Any]] = {
    **PROBLEMS,
    408: {"model": Problem, "description": "The body did not come in time."},
    409: {"model": Problem, "description": "The archiver is past its end: it only serves."},
    413: {"model": Problem, "description": "The body is too large."},
}


def status_of(error: Exception) -> int:
    """Return the status by which HTTP tells an error."""
    if isinstance(error, NoSuchPvError):
        return 404
    if isinstance(error, ReadOnlyError):
        return 409
    return 400 if isinstance(error, UserError) else 500


def line_of(error: Exception) -> str:
    """Return an error as one line."""
    if isinstance(error, NoSuchPvError):
        return f"there is no PV {str(error.args[0]) if error.args else ''} in this archive"
    return " ".join(str(error).split()) or type(error).__name__


async def _tell(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": line_of(error)}, status_of(error))


async def _tell_invalid(_request: Request, error: Exception) -> JSONResponse:
    lines = [_invalid_line(one) for one in cast("RequestValidationError", error).errors()]
    return JSONResponse({"detail": "; ".join(dict.fromkeys(lines[:5]))}, 422)


def _invalid_line(one: Any) -> str:
    # A body's place begins with "body" and tells the branches of unions: the last name is ours.
    place = [str(part) for part in one["loc"] if part not in ("query", "path", "body")]
    name = ".".join(place) or "the body"
    if one["type"] == "missing":
        return f"{name}: it is needed"
    given = one.get("input")
    said = f" (got {given!r})" if isinstance(given, (str, int, float)) else ""
    return f"{name}: {one['msg']}{said}"


def tell_errors(app: FastAPI) -> None:
    """Make an app answer errors so."""
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    for kind in (NoSuchPvError, LinacreError):
        app.add_exception_handler(kind, _tell)
