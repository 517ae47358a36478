"""The Livingdocs API over HTTP: ``LivingdocsClient``.

It speaks to Livingdocs and to ``ldimport serve`` alike, in every dialect of the API, and turns
each answer into the model or into an error that says what to do.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ldimport import wire
from ldimport.api_versions import API_VERSION
from ldimport.client.answers import ApiCall
from ldimport.closing import Closing
from ldimport.credentials import Secret
from ldimport.errors import ConfigError, RefusedError, UnexpectedAnswerError
from ldimport.model import (
    MAX_NAME,
    Asset,
    ImportRequest,
    JobState,
    JobStatus,
    Json,
    Notice,
    Silence,
)
from ldimport.url import endpoint, server_url

if TYPE_CHECKING:
    import httpx

__all__ = ["LibraryEntry", "LivingdocsClient"]

TIMEOUT = 30.0
PATIENCE = 120.0
_READ, _WRITE, _CONFIG = "public-api:read", "public-api:write", "public-api:config:read"


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """An entry of ``GET mediaLibrary``. ``version`` is what ``patch_media`` takes;
    ``system_name``, ``external_id`` and ``created_at`` (ISO 8601) are None where the server leaves
    them out."""

    id: str
    version: int | None
    media_type: str | None
    asset: Asset
    metadata: Mapping[str, Json]
    system_name: str | None
    external_id: str | None
    created_at: str | None = None

    def has_identity(self, system_name: str, external_id: str) -> bool:
        """Whether this can be the entry with that identity: a server that does not know the
        filter answers with any others."""
        return self.system_name in (None, system_name) and self.external_id in (None, external_id)


class LivingdocsClient(Closing):
    """A client for one project of one Livingdocs server; safe to share between threads.

    ``base_url`` may carry a path (``https://edit.livingdocs.io/proxy/api``). ``timeout`` is how
    many seconds the server may stay silent, ``patience`` how many seconds go into repeating what
    failed for a while (0: one try); ``deadline`` seconds from now nothing is waited for any more.
    ``insecure`` skips the check of certificates, ``ca_file`` names the root certificates to trust
    instead of the system's. ``tell`` hears (from any thread) within 5 seconds that the server does
    not answer, when it answers again, and, once, what it says of the end of its API's version.
    ``transport`` replaces the network, ``sleep``, ``clock``
    (monotonic) and ``now`` (Unix time) the time.

    Every method may raise AuthError (401, 403), ConfigError (no API at this address, TLS),
    TemporaryError (unreachable, 5xx, after retries) and RefusedError (other 4xx).
    """

    def __init__(
        self,
        base_url: str,
        token: Secret | str | None,
        *,
        api_version: str = "v1",
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        deadline: float = math.inf,
        insecure: bool = False,
        ca_file: str | None = None,
        tell: Callable[[Silence | Notice], None] | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        from ldimport.client.transport import RetryPolicy, Transport

        try:
            self.base_url = server_url(base_url)
        except ValueError as error:
            raise ConfigError(f"the address of the target {error}", code="bad-setting") from None
        if not API_VERSION.fullmatch(api_version):
            text = f"API version {api_version!r} must be v1 or a dated one such as 2025-03"
            raise ConfigError(text, code="bad-setting")
        self.api_version = api_version
        secret = Secret(token) if isinstance(token, str) else token
        policy = RetryPolicy(timeout, patience, sleep, clock, now, clock() + deadline)
        self._transport = Transport(
            self.base_url, api_version, secret, policy, insecure, transport, ca_file, tell
        )
        self._send = self._transport.send
        self._config: dict[str, Json] | None = None

    def submit(
        self, request: ImportRequest, key: str | None = None, *, lenient: bool = False
    ) -> str:
        """Start an import and return its job id. The request carries ``key`` (or one made up)
        as ``Idempotency-Key``, so that a repeat is no second job where the server knows keys;
        ``lenient`` as a preference (RFC 7240), which our own server heeds.

        Raises QuotaError, InvalidRequestError, TooLargeError, KeyConflictError; after a
        TemporaryError or ConfigError the server may have accepted it all the same."""
        body, key = wire.request_body(request), key or uuid.uuid4().hex
        call = ApiCall("POST", "import/images", _WRITE, body=body, key=key, lenient=lenient)
        answer = self._send(call)
        job_id = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(job_id, str) or not 0 < len(job_id) <= MAX_NAME:
            raise self._unexpected("import/images", "a job id")
        return job_id

    def status(self, job_id: str) -> JobStatus:
        """State and, once it has ended, results of a job; an unknown one is ``lost``."""
        call = ApiCall("GET", "import/images/status", _WRITE, params={"id": job_id})
        try:
            return wire.status_from_json(self._send(call), job_id)
        except ValueError as error:
            raise self._unexpected(call.path, f"the status of a job: {error}") from error
        except RefusedError as error:
            if error.code == "not-found":
                return JobStatus(job_id, JobState.LOST)
            raise

    def project_config(self, *, refresh: bool = False) -> dict[str, Json]:
        """The project config as the API answers it, asked once and then remembered."""
        if self._config is None or refresh:
            answer = self._send(ApiCall("GET", "projectConfig", _CONFIG))
            if not isinstance(answer, dict):
                raise self._unexpected("projectConfig", "a project config")
            self._config = answer
        return self._config

    def find(self, system_name: str, external_id: str) -> LibraryEntry | None:
        """The media library entry with this identity, if there is one."""
        params = {"externalId": external_id, "systemName": system_name}
        answer = self._send(ApiCall("GET", "mediaLibrary", _READ, params=params))
        body = answer if isinstance(answer, dict) else {}
        entries = body.get("results", body.get("mediaLibraryEntries"))  # renamed at 2026-01
        if not isinstance(entries, list):
            raise self._unexpected("mediaLibrary", "a list of media")
        found = [_entry(each) for each in entries]
        return next((e for e in found if e and e.has_identity(system_name, external_id)), None)

    def patch_media(
        self, media_id: str, patches: Sequence[Mapping[str, Json]], version: int | None = None
    ) -> None:
        """Change an entry of the media library. With ``version`` the server refuses (409,
        RefusedError) when the entry has moved on. Repeated only if it did not arrive."""
        body: dict[str, Any] = {"patches": [dict(each) for each in patches]}
        if version is not None:
            body["version"] = version
        path = f"mediaLibrary/{quote(media_id, safe='')}"
        self._send(ApiCall("PATCH", path, _WRITE, body=wire.encode(body), repeatable=False))

    @property
    def clock_ahead(self) -> float | None:
        """By how many seconds the server's clock was ahead of ours in its last answer, as its
        ``Date`` tells, to about a second; None where it tells none."""
        return self._transport.clock_ahead

    def close(self) -> None:
        """Close all connections. May be called twice."""
        self._transport.close()

    def _unexpected(self, path: str, wanted: str) -> UnexpectedAnswerError:
        url = endpoint(self.base_url, self.api_version, path)
        text = f"{url} answered with something other than {wanted}"
        hint = "is this address the API of a Livingdocs server?"
        return UnexpectedAnswerError(text, hint=hint)

    def __repr__(self) -> str:
        return f"LivingdocsClient({self.base_url!r}, api_version={self.api_version!r})"


def _entry(item: object) -> LibraryEntry | None:
    """Read one entry; None for what has no id."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    asset = wire.optional(dict, item.get("asset")) or {}
    stored = {"originalUrl": asset.get("url", ""), **asset, "mediaId": item["id"]}
    return LibraryEntry(
        item["id"],
        wire.optional(int, item.get("version")),
        wire.optional(str, item.get("mediaType")),
        replace(wire.asset_from_json(stored), size=wire.optional(int, asset.get("size"))),
        wire.optional(dict, item.get("metadata")) or {},
        wire.optional(str, item.get("systemName")),
        wire.optional(str, item.get("externalId")),
        wire.optional(str, item.get("createdAt")),
    )
