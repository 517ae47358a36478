"""The gate that asks each request for its access token."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Sequence

from ldimport.credentials import Secret
from ldimport.engine.access_tokens import TokenScope, hash_of, is_valid
from ldimport.engine.store import Tokens
from ldimport.server.responses import Refusal

_BEARER = re.compile(rb"bearer +([\x21-\x7e]+) *", re.IGNORECASE)


class Gate:
    """Lets requests in by their ``Authorization`` header. ``extra`` has all scopes."""

    def __init__(
        self, kept: Tokens, extra: Secret | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._kept = kept
        self._extra = None if extra is None else hash_of(extra.reveal().encode())
        self._now = now

    def check(self, header: bytes | None, scope: TokenScope) -> None:
        """Raises Refusal 401 without a token that counts, 403 when it lacks ``scope``. Unknown,
        expired and revoked tokens get the same answer. Reads the catalogue."""
        if header is None:
            raise _refusal(401, "An access token is required.", "Bearer")
        found = _BEARER.fullmatch(header)
        scopes = None if found is None else self._scopes(hash_of(found[1]))
        if scopes is None:
            raise _refusal(401, "The access token expired.", 'Bearer error="invalid_token"')
        if scope not in scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise _refusal(403, "The request requires higher privileges", challenge)

    def _scopes(self, sha256: str) -> Sequence[str] | None:
        if self._extra is not None and hmac.compare_digest(sha256, self._extra):
            return tuple(TokenScope)
        token = self._kept.of_hash(sha256)
        if token is None or not hmac.compare_digest(sha256, token.sha256):
            return None
        return token.scopes if is_valid(token, self._now()) else None


def _refusal(status: int, text: str, challenge: str) -> Refusal:
    return Refusal(status, {"access_token": text}, headers={"WWW-Authenticate": challenge})
