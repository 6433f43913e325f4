"""What all commands share."""

from __future__ import annotations

from linacre.cli import context


class Large:
    """What a command works out, too much to be put into words."""

    def __repr__(self) -> str:
        raise AssertionError("it was put into words")


def test_what_a_command_works_out_is_not_put_into_words() -> None:
    async def work() -> Large:
        return Large()

    assert isinstance(context.run(work()), Large)
