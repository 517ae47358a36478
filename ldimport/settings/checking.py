"""``config check``: do address, token and scopes work? Nothing is sent but three questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldimport import credentials
from ldimport.errors import AuthError, LdimportError
from ldimport.model import Severity
from ldimport.url import is_loopback

if TYPE_CHECKING:
    from ldimport.client import LivingdocsClient
    from ldimport.settings import Settings

NOBODY = "ldimport-config-check"
"""Asked for as a job and as a media entry; there is none of this name."""

_SOON = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: ``subject`` is ``address``, ``token``, ``scope …`` or ``project``;
    ``severity`` None means it is all right."""

    subject: str
    severity: Severity | None
    message: str
    hint: str = ""


def findings(settings: Settings, now: Callable[[], float] = time.time) -> list[Finding]:
    """Look at the settings, then ask the target. Never raises an LdimportError."""
    if settings.embedded:
        return [Finding("address", None, f"local engine in {settings.engine}, no token needed")]
    found = [*_address(settings), *_token(settings, now())]
    if not any(each.severity is Severity.ERROR for each in found):
        found += _asked(settings)
    return found


def _address(settings: Settings) -> Iterator[Finding]:
    if settings.target.startswith("http:") and not is_loopback(settings.target):
        text = f"{settings.target} is not encrypted: anyone on the way can read the token"
        yield Finding("address", Severity.WARNING, text, "use https://")
    if settings.insecure:
        text = "certificates are not checked (--insecure): anyone can pose as the server"
        yield Finding("address", Severity.WARNING, text, "set SSL_CERT_FILE to your own CA instead")


def _token(settings: Settings, now: float) -> Iterator[Finding]:
    secret = settings.token
    if secret is None:
        hint = "set LDIMPORT_TOKEN, or tokenFile in your own config file"
        yield Finding("token", Severity.ERROR, "there is no token", hint)
        return
    try:
        claims = credentials.claims(secret.reveal())
    except LdimportError as error:
        yield Finding("token", Severity.ERROR, error.message, error.hint or "")
        return
    yield _expiry(claims, now, settings.token_source or "")
    path = Path(secret.source)
    if path.is_absolute() and credentials.readable_by_others(path):
        yield Finding(
            "token", Severity.WARNING, f"{path} can be read by others", f"chmod 600 {path}"
        )


def _expiry(claims: credentials.Claims, now: float, source: str) -> Finding:
    if claims.expires is None:
        return Finding("token", None, f"from {source}; it does not say when it expires")
    day = datetime.fromtimestamp(claims.expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if claims.expires <= now:
        hint = "make a new one in Project Setup → API Clients"
        return Finding("token", Severity.ERROR, f"token expired: {day}, from {source}", hint)
    severity = Severity.WARNING if claims.expires - now < _SOON else None
    return Finding("token", severity, f"from {source}, expires {day}")


# -- asking the target ----------------------------------------------------------------------


def _asked(settings: Settings) -> Iterator[Finding]:
    from ldimport.client import LivingdocsClient

    try:
        client = LivingdocsClient(
            settings.target,
            settings.token,
            api_version=settings.api_version,
            insecure=settings.insecure,
            patience=0,
        )
    except LdimportError as error:
        yield Finding("address", Severity.ERROR, error.message, error.hint or "")
        return
    with client:
        yield from _questions(client)


def _questions(client: LivingdocsClient) -> Iterator[Finding]:
    questions: list[tuple[str, Severity, Callable[[], Any]]] = [
        ("public-api:write", Severity.ERROR, lambda: client.status(NOBODY)),
        ("public-api:config:read", Severity.WARNING, client.project_config),
        ("public-api:read", Severity.WARNING, lambda: client.find(NOBODY, NOBODY)),
    ]
    reached = False
    for scope, severity, ask in questions:
        answer, error = _outcome(ask)
        if error is not None and error.code != "forbidden":
            subject = "token" if isinstance(error, AuthError) else "address"
            yield Finding(subject, Severity.ERROR, error.message, error.hint or "")
            return
        if not reached:
            yield Finding("address", None, f"{client.base_url} answers, API {client.api_version}")
            reached = True
        if error is not None:
            yield Finding(f"scope {scope}", severity, error.message, error.hint or "")
            continue
        yield Finding(f"scope {scope}", None, "granted")
        if scope == "public-api:config:read":
            yield _project(answer)


def _outcome(ask: Callable[[], Any]) -> tuple[Any, LdimportError | None]:
    try:
        return ask(), None
    except LdimportError as error:
        return None, error


def _project(config: dict[str, Any]) -> Finding:
    settings = config.get("settings")
    name = settings.get("handle") if isinstance(settings, dict) else None
    types = config.get("mediaTypes")
    count = len(types) if isinstance(types, list) else 0
    text = f"{name or 'without a handle'}, revision {config.get('$baseRevision', 'unknown')}"
    return Finding("project", None, f"{text}, {count} media types")
