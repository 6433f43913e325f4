from __future__ import annotations

import errno
import os

import pytest

from linacre.base.connecting import connecting, why
from linacre.base.errors import EngineError


class LibraryError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)),
            "Connection refused",
        ),
        (
            OSError("Multiple exceptions: refused, unreachable"),
            "Multiple exceptions: refused, unreachable",
        ),
        (TimeoutError(), "no answer in time"),
        (LibraryError("server disconnected"), "server disconnected"),
        (LibraryError(), "LibraryError"),
    ],
)
def test_a_failed_connection_is_one_line_with_its_reason(error: Exception, words: str) -> None:
    assert why(error) == words
    with (
        pytest.raises(EngineError, match=f"^drift: {words}$") as told,
        connecting(lambda why: EngineError(f"drift: {why}"), LibraryError),
    ):
        raise error
    assert told.value.__cause__ is error


def test_what_is_no_failed_connection_stays_what_it_is() -> None:
    with pytest.raises(LibraryError), connecting(EngineError):
        raise LibraryError
    with pytest.raises(KeyError), connecting(EngineError, LibraryError):
        raise KeyError
