"""From a request to a call of the engine: its token is looked at, its body is read, and the call
is made in a thread.

Engine calls wait for the disk and for locks, so they never run in the event loop. Reading has
threads apart from writing: who asks for the state of a job does not queue behind batches that
wait for a worker's transaction, nor behind all who look at images; nor does who asks for health.
Images in another size that are not there yet are made in threads of their own, and few may wait.
"""

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import formatdate
from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ldimport.api_versions import CLASSIC, FIRST, LIFE
from ldimport.engine import Engine
from ldimport.engine.access_tokens import TokenScope, hash_of, is_valid
from ldimport.model import Json
from ldimport.server import body
from ldimport.server.contract import ServeOptions
from ldimport.server.responses import MISSING, Refusal, answer


@dataclass(frozen=True, slots=True)
class Version:
    """One API version that is served."""

    name: str

    @property
    def list_key(self) -> str:
        """Key of the array that ``GET mediaLibrary`` answers; renamed at 2026-01."""
        return "results" if self._since("2026-01") else "mediaLibraryEntries"

    @property
    def preserves_updated_at(self) -> bool:
        """Whether PATCH knows ``preserveUpdatedAt``."""
        return self._since("2026-03")

    def farewell(self, now: float) -> dict[str, str]:
        """Headers that announce the end of a deprecated version (RFC 9745, RFC 8594)."""
        since, ends = map(_first_of, LIFE.get(self.name, ("9999-01", "9999-01")))
        if now < since:
            return {}
        return {"Deprecation": f"@{since:.0f}", "Sunset": formatdate(ends, usegmt=True)}

    def _since(self, release: str) -> bool:
        return self.name != CLASSIC and self.name >= release


@cache
def _first_of(release: str) -> float:
    return datetime.strptime(f"{release}+0000", "%Y-%m%z").timestamp()


def is_removed(name: str) -> bool:
    """Whether ``name`` reads like a release older than the first one served: it answers 410 as a
    removed one; what was never there is 404."""
    return name[:1].isdigit() and name < FIRST


READERS = 4
WRITERS = 4
"""Threads; each has a connection to the catalogue for as long as the server runs."""
MAKERS = 2
"""Threads for what is made later; as many children draw at most."""
MOST_WAITING = 32
"""Requests for what is made later that may be open; a browser has six."""

_BEARER = re.compile(r"bearer +([\x21-\x7e]+) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as an endpoint sees it, with its whole body."""

    request: Request
    engine: Engine
    options: ServeOptions
    body: bytes = b""

    @property
    def version(self) -> Version:
        """The API version in the request's path."""
        version: Version = self.request.state.version
        return version

    def required(self, name: str) -> str:
        """A parameter of the query. Raises Refusal 400 where it is missing or empty."""
        if text := self.request.query_params.get(name):
            return text
        raise Refusal(400, {name: MISSING.format(name)})


@dataclass(frozen=True, slots=True)
class Later:
    """A response that takes time to make; ``work`` makes it."""

    work: Callable[[], Response | None]


Endpoint = Callable[[Call], Json | Response | Later]
"""Answers a call with JSON, a whole response or one for later. Raises Refusal or an
LdimportError."""
Methods = Mapping[str, tuple[TokenScope | None, Endpoint]]
"""By HTTP method: the scope that its token needs (None: no token), and the endpoint."""


class Backend:
    """Has an engine answer requests under ``options``. ``close`` ends its threads."""

    def __init__(self, engine: Engine, options: ServeOptions) -> None:
        self.engine = engine
        self.options = options
        extra = options.token
        self._extra = "" if extra is None else hash_of(extra.reveal().encode())
        self._readers = ThreadPoolExecutor(READERS, "engine reader")
        self._writers = ThreadPoolExecutor(WRITERS, "engine writer")
        self._senders = ThreadPoolExecutor(READERS, "engine sender")
        self._pulse = ThreadPoolExecutor(1, "engine health")
        self._makers = ThreadPoolExecutor(MAKERS, "engine maker")
        self._turns = asyncio.Semaphore(MAKERS)
        self._waiting = 0

    def close(self) -> None:
        """Wait for calls under way, end the threads."""
        for pool in (self._readers, self._writers, self._senders, self._pulse, self._makers):
            pool.shutdown()

    async def answer(self, request: Request, methods: Methods) -> Response:
        """The response of a path with these methods. Raises Refusal or an LdimportError."""
        reads = request.method in ("GET", "HEAD")
        found = methods.get("GET" if reads else request.method)
        if found is None:
            allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            text = f"{request.method} is not possible here"
            raise Refusal(405, {"method": text}, headers={"Allow": allowed})
        scope, endpoint = found
        header = request.headers.get("authorization")
        in_thread = asyncio.get_running_loop().run_in_executor
        call = Call(request, self.engine, self.options)
        if reads:

            def checked() -> Response | Later:
                self.check(header, scope)
                return _whole(endpoint(call))

            public = self._senders if "slug" in request.path_params else self._pulse
            read = await in_thread(self._readers if scope else public, checked)
            return await self._made(request, read) if isinstance(read, Later) else read
        await in_thread(self._readers, self.check, header, scope)
        options = self.options
        raw = await body.read(request, options.body_limit, options.body_seconds)
        call = replace(call, body=raw)
        done = await in_thread(self._writers, lambda: _whole(endpoint(call)))
        assert isinstance(done, Response)
        return done

    async def _made(self, request: Request, later: Later) -> Response:
        """What is made later, each in its turn. Raises Refusal 503 when too many wait; nothing is
        made for a client that has gone meanwhile."""
        if self._waiting >= MOST_WAITING:
            text = f"{MOST_WAITING} images are being made or wait for it; ask again"
            raise Refusal(503, text, headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._turns:
                if await request.is_disconnected():
                    raise Refusal(503, "The client has gone")
                made = await asyncio.get_running_loop().run_in_executor(self._makers, later.work)
        finally:
            self._waiting -= 1
        assert made is not None
        return made

    # -- tokens -----------------------------------------------------------------------------

    def check(self, header: str | None, scope: TokenScope | None) -> None:
        """Raises Refusal 401 without a token that counts, 403 when it lacks ``scope``. Unknown,
        expired and revoked tokens get the same answer. Reads the catalogue."""
        if scope is None:
            return
        if header is None:
            raise _no_entry(401, "An access token is required.", "Bearer")
        found = _BEARER.fullmatch(header)
        scopes = None if found is None else self._scopes(hash_of(found[1].encode()))
        if scopes is None:
            raise _no_entry(401, "The access token expired.", 'Bearer error="invalid_token"')
        if scope not in scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise _no_entry(403, "The request requires higher privileges", challenge)

    def _scopes(self, sha256: str) -> Sequence[str] | None:
        if hmac.compare_digest(sha256, self._extra):
            return tuple(TokenScope)
        token = self.engine.tokens.of_hash(sha256)
        return token.scopes if token is not None and is_valid(token, time.time()) else None


@dataclass(frozen=True, slots=True)
class Resource:
    """What stands at one path, as an ASGI application."""

    backend: Backend
    methods: Methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        response = await self.backend.answer(Request(scope, receive), self.methods)
        await response(scope, receive, send)


def _whole(body: Json | Response | Later) -> Response | Later:
    return body if isinstance(body, Later) else answer(body)


def _no_entry(status: int, text: str, challenge: str) -> Refusal:
    return Refusal(status, {"access_token": text}, headers={"WWW-Authenticate": challenge})
