"""The seed's two endpoints, ``POST import/images`` and ``GET import/images/status``, and what
belongs to the server as a whole: project config, health, its own description."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ldimport import __version__, wire
from ldimport.server import body, openapi
from ldimport.server.answers import Refusal, answer
from ldimport.server.auth import Scope
from ldimport.server.desk import Desk

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Imports:
    """Endpoints of imports."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

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
        """Accept a batch: 200 with its job id once it is durable (seed, "Import Images")."""
        desk, options = self._desk, self._desk.options
        await desk.admit(request, Scope.WRITE)
        key = _key(request)
        raw = await body.read(request, options.body_limit, options.body_seconds)

        def submit() -> tuple[str, int]:
            parsed = wire.request_from_json(body.parse(raw))
            return desk.engine.submit(parsed, key, checked=True), len(parsed.images)

        job_id, images = await desk.write(submit)
        request.state.note = f"job {job_id}, {images} images"
        return answer({"id": job_id})

    async def status(self, request: Request) -> Response:
        """State and results of a job; an unknown one is ``lost`` (seed, "Check Import Status")."""
        desk, dialect = self._desk, self._desk.dialect(request)

        def look() -> bytes:
            job_id = request.query_params.get("id", "")
            if not job_id:
                raise Refusal(400, {"id": "Missing required property: id"})
            return wire.encode(wire.status_to_json(desk.engine.status(job_id), dialect))

        return answer(await desk.read_for(request, Scope.WRITE, look))

    async def config(self, request: Request) -> Response:
        """The project config in force (livingdocs.md 3.1)."""
        engine = self._desk.engine
        raw = await self._desk.read_for(
            request, Scope.CONFIG_READ, lambda: wire.encode(engine.config.raw)
        )
        return answer(raw)

    async def health(self, request: Request) -> Response:
        """Whether the catalogue can be read; 503 when it cannot."""
        busy = await self._desk.read(self._desk.engine.has_open)
        return answer({"status": "ok", "version": __version__, "busy": busy})

    async def description(self, request: Request) -> Response:
        """OpenAPI description of this very server."""
        prefix = request.scope.get("root_path", "")
        types = tuple(self._desk.engine.config.media_types)
        limit = self._desk.options.body_limit
        return answer(openapi.document(prefix, types, limit, self._desk.options.dialect))


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        text = "must be 1 to 255 visible ASCII characters"
        raise Refusal(400, {"Idempotency-Key": text})
    return key
