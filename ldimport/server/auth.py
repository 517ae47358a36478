"""Access tokens: made, listed, revoked; and the gate that asks for one (hostile.md, case 66).

A token is ``ldi_`` and 256 random bits, so only its SHA-256 needs to be stored and no guessing
helps; the prefix lets secret scanners find one that was published.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from ldimport.credentials import Secret
from ldimport.engine import Engine
from ldimport.engine.records import StoredToken
from ldimport.engine.store import Tokens, exists
from ldimport.errors import UsageError
from ldimport.model import Json
from ldimport.server.answers import Refusal

PREFIX = "ldi_"
MOST_NAME = 100
_BEARER = re.compile(rb"bearer +([\x21-\x7e]+) *", re.IGNORECASE)


class Scope(StrEnum):
    """What a token may be used for (livingdocs.md 1.10)."""

    READ = "public-api:read"
    WRITE = "public-api:write"
    CONFIG_READ = "public-api:config:read"


# -- keeping tokens -------------------------------------------------------------------------


def create(engine: Path, name: str, scopes: Sequence[str], days: float | None) -> str:
    """A new token for the engine in this folder, told this once; ``days`` until it expires.
    Raises UsageError for a name that no list could show, or a scope that there is not."""
    if not (name.isprintable() and 0 < len(name) <= MOST_NAME):
        raise UsageError(f"the name of a token has 1 to {MOST_NAME} printable characters")
    if unknown := set(scopes) - set(Scope):
        raise UsageError(f"no scope {sorted(unknown)[0]}: there are {', '.join(Scope)}")
    now = time.time()
    with Engine(engine) as opened:
        kept = opened.tokens
        taken = {each.id for each in kept.all()}
        while True:
            text = PREFIX + secrets.token_urlsafe(32)
            sha256 = _digest(text.encode())
            if sha256[:8] not in taken:
                break
        expires = None if days is None else now + days * 86_400
        kept.add(StoredToken(sha256[:8], name, sha256, tuple(scopes), now, expires))
    return text


def tokens(engine: Path) -> Sequence[Mapping[str, Json]]:
    """``id, name, scopes, createdAt, expiresAt, revokedAt`` of each; times in UTC, or None."""
    if not exists(engine):
        return ()
    with Engine(engine) as opened:
        return [
            {
                "id": each.id,
                "name": each.name,
                "scopes": list(each.scopes),
                "createdAt": _moment(each.created_at),
                "expiresAt": _moment(each.expires_at),
                "revokedAt": _moment(each.revoked_at),
            }
            for each in opened.tokens.all()
        ]


def revoke(engine: Path, token_id: str) -> bool:
    """Refuse a token from now on, also in servers that run; False when there is no such token."""
    if not exists(engine):
        return False
    with Engine(engine) as opened:
        return opened.tokens.revoke(token_id, time.time())


def _moment(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


# -- asking for one -------------------------------------------------------------------------


class Gate:
    """Lets requests in by their ``Authorization`` header. ``extra`` has all scopes."""

    def __init__(
        self, kept: Tokens, extra: Secret | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._kept = kept
        self._extra = None if extra is None else _digest(extra.reveal().encode())
        self._now = now

    def check(self, header: bytes | None, scope: Scope) -> None:
        """Raises Refusal 401 without a token that counts, 403 when it lacks ``scope``. Unknown,
        expired and revoked tokens get the same answer. Reads the catalogue."""
        if header is None:
            raise _unauthorized("An access token is required.", "Bearer")
        found = _BEARER.fullmatch(header)
        scopes = None if found is None else self._scopes(_digest(found[1]))
        if scopes is None:
            raise _unauthorized("The access token expired.", 'Bearer error="invalid_token"')
        if scope not in scopes:
            text = "The request requires higher privileges"
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise Refusal(403, {"access_token": text}, headers={"WWW-Authenticate": challenge})

    def _scopes(self, sha256: str) -> Sequence[str] | None:
        if self._extra is not None and hmac.compare_digest(sha256, self._extra):
            return tuple(Scope)
        token = self._kept.of_hash(sha256)
        if token is None or not hmac.compare_digest(sha256, token.sha256):
            return None
        ended = token.expires_at is not None and token.expires_at <= self._now()
        return None if ended or token.revoked_at is not None else token.scopes


def _unauthorized(text: str, challenge: str) -> Refusal:
    return Refusal(401, {"access_token": text}, headers={"WWW-Authenticate": challenge})
