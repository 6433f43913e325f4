"""What came of comparing the truth suite's logs with an archive."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from common.report import Result

_NAMED = 10
_NAMED_OF_A_SORT = 4


@dataclass
class Verdict:
    """What came of a comparison."""

    sent: int = 0
    archived: int = 0
    missing: Counter[str] = field(default_factory=Counter[str])
    replaced: int = 0
    """That the server counted."""
    words_apart: int = 0
    """Samples with the words before: the server has values and words in different queues."""
    wrong_by: Counter[str] = field(default_factory=Counter[str])
    """By sort: samples that are not as they were sent, or were never sent; updates without a
    reason; PVs whose counts disagree."""
    named: list[str] = field(default_factory=list[str])
    """The first of them, few of each sort."""

    @property
    def wrong(self) -> int:
        """How much is wrong, of all sorts."""
        return self.wrong_by.total()

    def blame(self, sort: str, count: int, text: str) -> None:
        """Count what is wrong, and keep the first lines of it."""
        self._lines[sort] += 1
        self.wrong_by[sort] += count
        if self._lines[sort] <= _NAMED_OF_A_SORT and len(self.named) < _NAMED:
            self.named.append(text)

    def __post_init__(self) -> None:
        self._lines: Counter[str] = Counter()

    def told(self) -> Result:
        """Return the figures."""
        return {
            "wrong": self.wrong,
            "sent": self.sent,
            "archived": self.archived,
            "missing": dict(sorted(self.missing.items())),
            "replaced": self.replaced,
            "words_apart": self.words_apart,
            "wrong_by": dict(sorted(self.wrong_by.items())),
            "named": self.named,
        }
