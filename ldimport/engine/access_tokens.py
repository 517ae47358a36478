"""Access tokens of a served engine: made, listed, revoked.

A token is ``ldi_`` and 256 random bits, so only its SHA-256 needs to be stored and no guessing
helps; the prefix lets secret scanners find one that was published.
"""

import hashlib
import secrets
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from ldimport.engine.engine import Engine
from ldimport.engine.records import StoredToken
from ldimport.engine.store import exists
from ldimport.errors import UsageError

PREFIX = "ldi_"
MOST_NAME = 100


class TokenScope(StrEnum):
    """What a token may be used for."""

    READ = "public-api:read"
    WRITE = "public-api:write"
    CONFIG_READ = "public-api:config:read"


def create(
    folder: Path, name: str, scopes: Sequence[TokenScope], days: float | None, *, now: float
) -> str:
    """A new token for the engine in this folder, told this once; ``days`` until it expires.
    Raises UsageError for a name that no list could show."""
    if not (name.isprintable() and 0 < len(name) <= MOST_NAME):
        raise UsageError(f"the name of a token has 1 to {MOST_NAME} printable characters")
    expires = None if days is None else now + days * 86_400
    with Engine(folder) as engine:
        taken = {each.id for each in engine.tokens.all()}
        while True:
            text = PREFIX + secrets.token_urlsafe(32)
            sha256 = hash_of(text.encode())
            if sha256[:8] not in taken:
                break
        engine.tokens.add(StoredToken(sha256[:8], name, sha256, tuple(scopes), now, expires))
    return text


def tokens(folder: Path) -> Sequence[StoredToken]:
    """All of them, revoked ones too, oldest first; none where there is no engine yet."""
    if not exists(folder):
        return ()
    with Engine(folder) as engine:
        return engine.tokens.all()


def revoke(folder: Path, token_id: str, *, now: float) -> bool:
    """Refuse a token from now on, also in servers that run; False when there is no such token."""
    if not exists(folder):
        return False
    with Engine(folder) as engine:
        return engine.tokens.revoke(token_id, now)


def hash_of(token: bytes) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token).hexdigest()


def is_valid(token: StoredToken, now: float) -> bool:
    """Whether it lets anybody in at this time."""
    expired = token.expires_at is not None and token.expires_at <= now
    return token.revoked_at is None and not expired
