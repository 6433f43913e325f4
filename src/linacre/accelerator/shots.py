"""A shot: one pulse of a seeded machine, and the random numbers that belong to it.

Every number is drawn by counting: the generator (Philox; J. K. Salmon et al., Parallel random
numbers: as easy as 1, 2, 3, SC11 (2011)) has the seed and who draws as its key, and the pulse as
its counter. So a draw depends on nothing that was drawn before, and a replay may begin at any
pulse.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from numpy.random import Generator, Philox

from linacre.base.errors import UserError

_WORDS = 1 << 64


@dataclass(frozen=True)
class Shot:
    """One pulse of the machine with a seed; raises `UserError` where either is no 64 bit number."""

    seed: int
    pulse: int

    def __post_init__(self) -> None:
        for what, number in (("seed", self.seed), ("pulse number", self.pulse)):
            if not 0 <= number < _WORDS:
                raise UserError(f"a {what} of {number}; write one from 0 to {_WORDS - 1}")

    def draws(self, element: str, purpose: str = "") -> Generator:
        """Return a generator of the numbers that an element draws for a purpose in this shot."""
        return Generator(
            Philox(
                key=self.seed | stream(element, purpose) << 64,
                # The counter's low words are used up as numbers are drawn.
                counter=self.pulse << 192,
            )
        )


@lru_cache(maxsize=4096)
def stream(*names: str) -> int:
    """Return the number of 64 bits that stands for names in the keys of generators."""
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")
