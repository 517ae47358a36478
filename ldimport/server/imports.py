"""The API's two endpoints of imports, ``POST import/images`` and ``GET import/images/status``, and
what belongs to the server as a whole: project config, health, its own description."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ldimport import __version__, wire
from ldimport.engine.access_tokens import TokenScope
from ldimport.server import body, openapi
from ldimport.server.backend import Backend
from ldimport.server.responses import MISSING, Refusal, answer

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Imports:
    """Endpoints of imports."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def routes(self) -> list[Route]:
        """Where they are found."""
        return [
            Route("/api/{version}/import/images", self.start, methods=["POST"]),
            Route("/api/{version}/import/images/status", self.status),
            Route("/api/{version}/projectConfig", self.config),
            Route("/health", self.health),
            Route("/openapi.json", self.description),
        ]

    async def start(self, request: Request) -> Response:
        """Accept a batch: 200 with its job id once it is durable."""
        engine, key = self._backend.engine, request.headers.get("idempotency-key")
        raw = await self._backend.body_for(request, TokenScope.WRITE)
        if key is not None and not _KEY.fullmatch(key):
            text = "must be 1 to 255 visible ASCII characters"
            raise Refusal(400, {"Idempotency-Key": text})

        def submit() -> tuple[str, int]:
            parsed = wire.request_from_json(body.parse(raw))
            return engine.submit(parsed, key, checked=True), len(parsed.images)

        job_id, images = await self._backend.write(submit)
        request.state.note = f"job {job_id}, {images} images"
        return answer({"id": job_id})

    async def status(self, request: Request) -> Response:
        """State and results of a job; an unknown one is ``lost``."""
        engine, dialect = self._backend.engine, self._backend.dialect(request)

        def look() -> bytes:
            job_id = request.query_params.get("id", "")
            if not job_id:
                raise Refusal(400, {"id": MISSING.format("id")})
            return wire.encode(wire.status_to_json(engine.status(job_id), dialect))

        return answer(await self._backend.read_for(request, TokenScope.WRITE, look))

    async def config(self, request: Request) -> Response:
        """The project config in force."""
        engine = self._backend.engine
        scope = TokenScope.CONFIG_READ
        return answer(
            await self._backend.read_for(request, scope, lambda: wire.encode(engine.config.raw))
        )

    async def health(self, request: Request) -> Response:
        """Whether the catalogue can be read; 503 when it cannot."""
        busy = await self._backend.read(self._backend.engine.has_open)
        return answer({"status": "ok", "version": __version__, "busy": busy})

    async def description(self, request: Request) -> Response:
        """OpenAPI description of this very server."""
        options, types = self._backend.options, self._backend.engine.config.media_types
        prefix = request.scope.get("root_path", "")
        return answer(openapi.document(prefix, tuple(types), options.body_limit, options.dialect))
