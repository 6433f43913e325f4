"""A failed connection told in one line, whatever library it failed in."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from linacre.base.errors import LinacreError


def why(error: BaseException) -> str:
    """Return why a connection failed, in a few words.

    An error of several addresses tried, and one of a library, has no words of the system's.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    silent = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return str(error) or silent


@contextmanager
def connecting(told: Callable[[str], LinacreError], *also: type[Exception]) -> Generator[None]:
    """Raise what `told` makes of the reason where a connection of the block fails.

    That is the system's errors, time that ran out included, and those `also`: a library's own
    errors of connections, say.
    """
    try:
        yield
    except (OSError, *also) as error:
        raise told(why(error)) from error
