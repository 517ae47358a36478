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
from ldimport.server.auth import Gate, Scope
from ldimport.server.options import ServeOptions
from ldimport.server.versions import Version
from ldimport.wire import Dialect

T = TypeVar("T")

READERS = 4
WRITERS = 4
"""Threads; each has a connection to the catalogue for as long as the server runs."""


class Desk:
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

    async def admit(self, request: Request, scope: Scope) -> None:
        """Raise Refusal unless the request has a token with this scope."""
        header = request.headers.get("authorization")
        raw = None if header is None else header.encode("latin-1")
        await self.read(lambda: self._gate.check(raw, scope))

    async def read_for(self, request: Request, scope: Scope, call: Callable[[], T]) -> T:
        """``admit``, then ``read``, in one go."""
        header = request.headers.get("authorization")
        raw = None if header is None else header.encode("latin-1")

        def both() -> T:
            self._gate.check(raw, scope)
            return call()

        return await self.read(both)

    def version(self, request: Request) -> Version:
        """The API version in the request's path."""
        version = request.state.version
        assert isinstance(version, Version)
        return version

    def dialect(self, request: Request) -> Dialect:
        """The dialect to answer in."""
        return self.version(request).dialect(self.options.dialect)

    def close(self) -> None:
        """Wait for calls under way, end the threads."""
        self._readers.shutdown()
        self._writers.shutdown()
