"""What the import of an IOC left to be settled, as comments in its entry in the facility file."""

from __future__ import annotations

from collections.abc import Iterator

from linacre.base.listing import counted, listed
from linacre.declaration.load import Declaration
from linacre.kinds.checking.facts import Facts
from linacre.kinds.checking.model import Outcome, not_applicable, warning

NOT_UNDERSTOOD = "# Not understood: "
"""Begins a comment with a line of a start script."""
NOT_DEFINED = "# Not defined: "
"""Begins a comment with macros of start scripts."""


async def imports_settled(facts: Facts) -> Outcome:
    """Look for what imports did not understand, and nobody has settled since."""
    declaration = facts.session.declaration
    left = {name: [*_left(declaration, name)] for name in declaration.facility.iocs}
    findings = tuple(
        warning(
            name,
            f"its import left open: {listed(lines, most=3)}",
            f"settle it, and take the comment out at {declaration.where('iocs', name)}",
        )
        for name, lines in left.items()
        if lines
    )
    if not findings:
        return not_applicable("no import left anything open")
    return Outcome(f"{counted(len(findings), 'import')} left something open", findings)


def _left(declaration: Declaration, name: str) -> Iterator[str]:
    """Yield what the comments at the beginning of an IOC's entry tell."""
    at = int(declaration.where("iocs", name).rpartition(":")[2])
    for line in declaration.text.splitlines()[at:]:
        comment = line.strip()
        if not comment.startswith("#"):
            return
        if comment.startswith(NOT_UNDERSTOOD):
            yield comment.removeprefix(NOT_UNDERSTOOD)
        elif comment.startswith(NOT_DEFINED):
            yield f"macros that nothing defines: {comment.removeprefix(NOT_DEFINED)}"
