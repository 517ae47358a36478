"""The receiving side of webhooks, over HTTP: ``POST /`` is taken down, then acknowledged."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ldimport import wire
from ldimport.errors import LdimportError
from ldimport.model import JobHint
from ldimport.server import body
from ldimport.server.app import MOST_TOLD, check_head
from ldimport.server.contract import HttpOptions, Listening, Notified, OnEvent, RequestAnswered
from ldimport.server.responses import Refusal, answer, refusal_of
from ldimport.server.run import minding_signals, one_at_a_time
from ldimport.server.server import UntilStopped, listen, room, url_of
from ldimport.server.signatures import Verifier
from ldimport.system import scarce
from ldimport.url import without_secrets

Take = Callable[[JobHint], bool]
"""Takes a notification down, durably; False: it was known. Raises TemporaryError, and then the
sender is asked to come again."""

_log = logging.getLogger(__name__)


def run_listener(options: HttpOptions, take: Take, on_event: OnEvent) -> None:
    """Listen until a signal, then raise KeyboardInterrupt or Terminated once all has ended in
    order. ``on_event`` hears events one at a time. Raises ConfigError when the port is taken or a
    secret makes no sense, TemporaryError where too few files may be open."""
    receiver = Receiver(options, take)
    with one_at_a_time(on_event, receiver.stop) as tell, minding_signals(receiver.stop):
        receiver.serve(tell)


class Receiver(UntilStopped):
    """Takes notifications."""

    def __init__(self, options: HttpOptions, take: Take) -> None:
        super().__init__()
        self._options, self._take = options, take
        self._verifier = Verifier(options.secrets)

    def serve(self, on_event: OnEvent) -> None:
        """Listen until ``stop``; ``on_event`` hears what happens."""
        options, most = self._options, room(self._options.connections)
        with ExitStack() as ends:
            made = ends.enter_context(listen(options.host, options.port, "listen"))
            writer = ends.enter_context(ThreadPoolExecutor(1, "notices"))
            app = self._application(writer, on_event)
            on_event(Listening(url_of(made), made.getsockname()[1]))
            self._run(app, options, most, made)

    def _application(self, writer: ThreadPoolExecutor, on_event: OnEvent) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            began, note = time.monotonic(), ""
            try:
                check_head(scope, self._options.header_limit)
                response = await self._answered(Request(scope, receive), writer, on_event)
            except Exception as met:  # noqa: BLE001  the last catch: an answer all the same
                error = scarce(met) or met
                refusal, note = refusal_of(error), _note(error)
                response = refusal.response()
            await response(scope, receive, send)
            path, seconds = without_secrets(scope["path"])[:MOST_TOLD], time.monotonic() - began
            method, status = scope["method"][:20], response.status_code
            on_event(RequestAnswered(method, path, status, seconds, note[:MOST_TOLD]))

        return app

    async def _answered(
        self, request: Request, writer: ThreadPoolExecutor, on_event: OnEvent
    ) -> Response:
        path = request.url.path
        if path == "/health" and request.method == "GET":
            return answer({"status": "ok"})
        if path != "/":
            raise Refusal(404, {"url": path})
        if request.method != "POST":
            raise Refusal(405, headers={"Allow": "POST"})
        options = self._options
        raw = await body.read(request, options.body_limit, options.body_seconds)
        self._verifier.check(request.headers, raw, time.time())
        hint = wire.notification_from_json(body.parse(raw))
        if hint is not None:
            loop = asyncio.get_running_loop()
            fresh = await loop.run_in_executor(writer, self._take, hint)
            on_event(Notified(hint, again=not fresh))
        return Response(status_code=204)


def _note(error: Exception) -> str:
    """What came of a request, for whoever reads along."""
    if isinstance(error, Refusal):
        return error.note
    if isinstance(error, LdimportError):
        return error.message
    _log.error("a notification", exc_info=error)
    return f"{type(error).__name__}: {error}"
