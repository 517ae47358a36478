"""What every endpoint has at hand: the engine behind threads of its own, and the gate.

Engine calls wait for the disk and for locks, so they never run in the event loop. Reading has
threads apart from writing: who asks for the state of a job does not queue behind batches that
wait for a worker's transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from ldimport.engine import Engine
from ldimport.engine.access_tokens import TokenScope
from ldimport.server import body
from ldimport.server.auth import Gate
from ldimport.server.options import ServeOptions
from ldimport.server.versions import Version
from ldimport.wire import Dialect

T = TypeVar("T")

READERS = 4
WRITERS = 4
"""Threads; each has a connection to the catalogue for as long as the server runs."""


class Backend:
    """The engine as endpoints use it. ``close`` ends its threads."""

    def __init__(self, engine: Engine, options: ServeOptions) -> None:
        self.engine = engine
        self.options = options
        self._gate = Gate(engine.tokens, options.token)
        self._readers = ThreadPoolExecutor(READERS, "engine reader")
        self._writers = ThreadPoolExecutor(WRITERS, "engine writer")

    async def read(self, call: Callable[[], T]) -> T:
        """The answer of a call that only reads."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def write(self, call: Callable[[], T]) -> T:
        """The answer of a call that may wait for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, call)

    async def read_for(self, request: Request, scope: TokenScope, call: Callable[[], T]) -> T:
        """``read``, once the request has shown a token with this scope. Raises Refusal."""
        header = request.headers.get("authorization")
        raw = None if header is None else header.encode("latin-1")

        def both() -> T:
            self._gate.check(raw, scope)
            return call()

        return await self.read(both)

    async def body_for(self, request: Request, scope: TokenScope) -> bytes:
        """The body of a request that has a token with this scope. Raises Refusal."""
        await self.read_for(request, scope, lambda: None)
        return await body.read(request, self.options.body_limit, self.options.body_seconds)

    def version(self, request: Request) -> Version:
        """The API version in the request's path."""
        version = request.state.version
        assert isinstance(version, Version)
        return version

    def dialect(self, request: Request) -> Dialect:
        """The dialect to answer in."""
        return self.options.dialect or Dialect.of_version(self.version(request).name)

    def close(self) -> None:
        """Wait for calls under way, end the threads."""
        self._readers.shutdown()
        self._writers.shutdown()
