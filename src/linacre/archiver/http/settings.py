"""How an archiver's HTTP is set up: which tokens may change it, and whether reading needs one."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import UserError

_HASH = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """Who may do what; without tokens anyone may do all."""

    tokens: frozenset[str] = frozenset()
    """SHA-256 of each token, as 64 hexadecimal digits."""
    protect_reading: bool = False
    """Whether reading needs a token too, where there are any."""
    names: frozenset[str] = frozenset()
    """By which it may be asked, beside its addresses and its host's own name."""
    live_period_s: float = 0.2
    """How often new samples are sent to a live display."""

    def accepts(self, token: str) -> bool:
        """Whether a token is one of them; takes as long for a wrong one as for a right one."""
        given = hash_token(token)
        return sum(hmac.compare_digest(given, known) for known in self.tokens) > 0


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token as 64 hexadecimal digits.

    No salt and no slow hash: a token is 32 random bytes, not a word that somebody chose.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> tuple[str, str]:
    """Return a token, and the line of a tokens' file by which an archiver knows it."""
    token = secrets.token_urlsafe(32)
    return token, f"sha256:{hash_token(token)}"


def read_tokens(path: Path) -> frozenset[str]:
    """Read a file with a token a line, best as `sha256:` and the 64 digits of its hash.

    A line may be the token itself too, of 16 characters or more; `#` begins a comment. Raises
    `UserError` with the line's number where one is wrong, or where there is none.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the tokens of {path}: {error}") from error
    tokens: set[str] = set()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if found := _HASH.fullmatch(text):
            tokens.add(found[1])
        elif text.startswith("sha256:"):
            raise UserError(f"{path}:{number}: after sha256: come 64 digits of 0-9 and a-f")
        elif len(text) < 16 or any(c.isspace() for c in text):
            raise UserError(f"{path}:{number}: a token has 16 characters or more, and no spaces")
        else:
            tokens.add(hash_token(text))
    if not tokens:
        raise UserError(f"{path} has no token: write one a line, or use none of the file")
    return frozenset(tokens)
