"""``config check``: do address, token and scopes work? Nothing is sent but three questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldimport import credentials
from ldimport.authorities import check_ca_file
from ldimport.errors import AuthError, LdimportError
from ldimport.model import Notice, Severity, Silence
from ldimport.settings.loading import shown
from ldimport.settings.values import SETTINGS
from ldimport.url import is_loopback
from ldimport.wording import counted

if TYPE_CHECKING:
    from ldimport.client import LivingdocsClient
    from ldimport.settings.loading import Settings

NOBODY = "ldimport-config-check"
"""Asked for as a job and as a media entry; there is none of this name."""

_SOON = 7 * 86_400


@dataclass(frozen=True, slots=True)
class SettingFinding:
    """One thing looked at: ``subject`` is ``address``, ``token``, ``scope …``, ``project``, or a
    setting by its name in the config file;
    ``severity`` None means it is all right."""

    subject: str
    severity: Severity | None
    message: str
    hint: str = ""

    @classmethod
    def of(cls, subject: str, error: LdimportError) -> SettingFinding:
        """What went wrong with ``subject``."""
        return cls(subject, Severity.ERROR, error.message, error.hint or "")


def check(
    settings: Settings,
    now: Callable[[], float] = time.time,
    tell: Callable[[Silence | Notice], None] | None = None,
) -> list[SettingFinding]:
    """Try address, token and scopes without sending anything, for ``config check``.

    An HTTP target is asked three questions (project config, a job that does not exist, a media
    entry that does not exist); what is wrong is told by the findings, never raised; ``tell`` hears
    that it is still waited for."""
    found = [*_ca_file(settings)]
    if settings.embedded:
        text = f"local engine in {settings.engine}, no token needed"
        return [*found, SettingFinding("address", None, text), *_engine(settings)]
    found += [*_address(settings), *_token(settings, now())]
    if not any(each.severity is Severity.ERROR for each in found):
        found += _asked(settings, tell)
    return found


def _ca_file(settings: Settings) -> Iterator[SettingFinding]:
    if (path := settings.ca_file) is not None:
        try:
            check_ca_file(str(path))
        except LdimportError as error:
            yield SettingFinding.of("caFile", error)
        else:
            yield SettingFinding("caFile", None, f"the certificates in {path} are trusted")


def _engine(settings: Settings) -> Iterator[SettingFinding]:
    """What the ``engine:`` block sets."""
    set_ = [each for each in SETTINGS
            if each.at and settings.sources.get(each.key, "default") != "default"]  # fmt: skip
    for each in set_:
        text = f"{shown(getattr(settings, each.name))}, from {settings.sources[each.key]}"
        yield SettingFinding(each.key, None, text)


def _address(settings: Settings) -> Iterator[SettingFinding]:
    warning = partial(SettingFinding, "address", Severity.WARNING)
    if settings.target.startswith("http:") and not is_loopback(settings.target):
        text = f"{settings.target} is not encrypted: anyone on the way can read the token"
        yield warning(text, "use https://")
    if settings.insecure:
        text = "certificates are not checked (--insecure): anyone can pose as the server"
        yield warning(text, "set SSL_CERT_FILE to your own CA instead")


def _token(settings: Settings, now: float) -> Iterator[SettingFinding]:
    secret = settings.token
    if secret is None:
        hint = "set LDIMPORT_TOKEN, or tokenFile in your own config file"
        yield SettingFinding("token", Severity.ERROR, "there is no token", hint)
        return
    try:
        expires = credentials.expires(secret.reveal())
    except LdimportError as error:
        yield SettingFinding.of("token", error)
        return
    yield _expiry(expires, now, settings.sources.get("token", ""))
    path = Path(secret.source)
    if path.is_absolute() and credentials.readable_by_others(path):
        text = f"{path} can be read by others"
        yield SettingFinding("token", Severity.WARNING, text, f"chmod 600 {path}")


def _expiry(expires: float | None, now: float, source: str) -> SettingFinding:
    if expires is None:
        return SettingFinding("token", None, f"from {source}; it does not say when it expires")
    day = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if expires <= now:
        hint = "make a new one in Project Setup → API Clients"
        text = f"token expired: {day}, from {source}"
        return SettingFinding("token", Severity.ERROR, text, hint)
    severity = Severity.WARNING if expires - now < _SOON else None
    return SettingFinding("token", severity, f"from {source}, expires {day}")


def _asked(
    settings: Settings, tell: Callable[[Silence | Notice], None] | None
) -> Iterator[SettingFinding]:
    from ldimport.client import LivingdocsClient

    try:
        client = LivingdocsClient(
            settings.target,
            settings.token,
            api_version=settings.api_version,
            insecure=settings.insecure,
            ca_file=settings.job_options.ca_file,
            patience=0,
            tell=tell,
        )
    except LdimportError as error:
        yield SettingFinding.of("address", error)
        return
    with client:
        yield from _questions(client)


def _questions(client: LivingdocsClient) -> Iterator[SettingFinding]:
    questions: list[tuple[str, Severity, Callable[[], Any]]] = [
        ("public-api:write", Severity.ERROR, lambda: client.status(NOBODY)),
        ("public-api:config:read", Severity.WARNING, client.project_config),
        ("public-api:read", Severity.WARNING, lambda: client.find(NOBODY, NOBODY)),
    ]
    answers = f"{client.base_url} answers, API {client.api_version}"
    for n, (scope, severity, ask) in enumerate(questions):
        answer: Any = None
        refusal = None
        try:
            answer = ask()
        except LdimportError as error:
            if error.code != "forbidden":
                yield SettingFinding.of(
                    "token" if isinstance(error, AuthError) else "address", error
                )
                return
            refusal = error
        if n == 0:
            yield SettingFinding("address", None, answers)
        if refusal is not None:
            yield replace(SettingFinding.of(f"scope {scope}", refusal), severity=severity)
            continue
        yield SettingFinding(f"scope {scope}", None, "granted")
        if scope == "public-api:config:read":
            yield _project(answer)


def _project(config: dict[str, Any]) -> SettingFinding:
    settings, types = config.get("settings"), config.get("mediaTypes")
    name = settings.get("handle") if isinstance(settings, dict) else None
    count = len(types) if isinstance(types, list) else 0
    text = f"{name or 'without a handle'}, revision {config.get('$baseRevision', 'unknown')}"
    return SettingFinding("project", None, f"{text}, {counted(count, 'media type')}")
