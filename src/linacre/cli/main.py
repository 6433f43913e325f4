"""The `linacre` command: its nouns put together, and the one place where errors are shown."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
import threading
import traceback
from typing import Annotated, NoReturn

import typer

from linacre import WITHOUT_PLUGINS, __version__
from linacre.base.errors import LinacreError
from linacre.base.orders import without_orders
from linacre.cli.lazy import LazyGroup

_OBJECTS_A_LOOK = 200_000
"""How many objects may be made before garbage is looked for among them; Python's own is 700."""

_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF, errno.EFBIG, errno.EAGAIN)

app = typer.Typer(
    name="linacre",
    help="Virtualises an accelerator's control system: every EPICS IOC in a light machine "
    "of its own, with its own address and the standard ports.",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text: rich takes longer to load than all else that a help needs.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"linacre {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and what is logged.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Set what holds for every command."""
    if debug:
        os.environ["LINACRE_DEBUG"] = "1"


def _arguments(argv: list[str]) -> list[str]:
    """Let `--rebuild` stand without a name: it then means every outdated machine."""
    found: list[str] = []
    for number, word in enumerate(argv):
        found.append(word)
        following = argv[number + 1 : number + 2]
        if word == "--rebuild" and (not following or following[0].startswith("-")):
            found.append("all")
    return found


def main() -> NoReturn:
    """Run the command line; an error is one line, its status 1 for the world and 2 for a typo."""
    # A tenth of a command's time went into looking for garbage among what it loads, which stays.
    gc.set_threshold(_OBJECTS_A_LOOK)
    _have_standard_streams()
    # Else pydantic reads the metadata of every installed package, to find that none is a plugin.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", WITHOUT_PLUGINS)
    if "--debug" in sys.argv[1:2]:
        from linacre.base.log import HumanStream, logging_to

        with logging_to(HumanStream()):
            status = _run()
    else:
        status = _run()
    _leave(status)


def _leave(status: int) -> NoReturn:
    """End the process as it stands: Python would take apart all it has loaded, for 0.15 s."""
    current = threading.current_thread()
    if any(not each.daemon for each in threading.enumerate() if each is not current):
        # Somebody's work goes on.
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _have_standard_streams() -> None:
    """Open what our caller has closed: Python leaves None there, and files would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _run() -> int:
    status: object = 0
    try:
        try:
            app(args=_arguments(sys.argv[1:]))
        except SystemExit as ended:
            status = ended.code
        # Here and not at the interpreter's end, where nobody tells what went wrong.
        sys.stdout.flush()
    except KeyboardInterrupt:
        _say("stopped")
        status = 130
    except LinacreError as error:
        status = _failed(error)
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does.
        _drop_output()
        status = 141
    except OSError as error:
        # What the world refuses: a full disk, a read-only file system, what is no file.
        if os.environ.get("LINACRE_DEBUG"):
            _print_traceback(error)
        _drop_output()
        _say(f"linacre: {refused(error)}")
        status = 1
    except Exception as error:
        # A defect of ours: still one line for the operator, and the way to the whole story.
        if os.environ.get("LINACRE_DEBUG"):
            raise
        _say(
            f"linacre: unexpected {type(error).__name__}: {error}; "
            "run it again as linacre --debug ... for the whole story"
        )
        status = 1
    return status if isinstance(status, int) else 0


def refused(error: OSError) -> str:
    """Say what the world refused; an error that names no file is of the output where it can be."""
    why = error.strerror or str(error) or type(error).__name__
    why = f"{why[:1].lower()}{why[1:]}"
    where = error.filename2 or error.filename
    if where is None and error.errno in _OF_OUTPUT:
        where = "the output"
    if where is None and error.errno == errno.ENOENT and not _has_folder():
        return "the folder that this is run in is gone: go to another"
    return why if where is None else f"{where}: {why}"


def _has_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - the like of pathlib's is this
    except FileNotFoundError:
        return False
    return True


def _drop_output() -> None:
    """Let nothing more be written: what is left would fail again at the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: LinacreError) -> int:
    if os.environ.get("LINACRE_DEBUG"):
        _print_traceback(error)
    prefix = "" if "\n" in str(error) else "linacre: "
    _say(f"{prefix}{error}")
    return error.exit_status


def _print_traceback(error: Exception) -> None:
    _say("".join(traceback.format_exception(error)).rstrip("\n"))


def _say(text: str) -> None:
    """Show what went wrong: an error may have words of a machine in it."""
    typer.echo(without_orders(text), err=True)


if __name__ == "__main__":
    main()
