"""Tells a service such as healthchecks.io that a run began, and how it ended: ``URL/start``,
``URL``, ``URL/fail`` (https://healthchecks.io/docs/http_api/). Whatever becomes of that, the run
goes on."""

import threading
import time
import uuid
from urllib.parse import urlsplit, urlunsplit

from ldimport import __version__
from ldimport.credentials import Secret
from ldimport.errors import ExitCode, LdimportError

QUIET = frozenset((ExitCode.LOCKED,))
"""Another run is at work, and tells for itself."""
WELL = frozenset((ExitCode.OK, ExitCode.QUOTA, ExitCode.DEADLINE))
"""All done, or the next run goes on as was asked."""
PATIENCE = 5.0
"""Seconds that a run waits at its end, in all."""
TIMEOUT, TRIES, PAUSE = 3.0, 2, 0.5
MOST_TEXT = 10_000
"""Bytes of a summary."""


class Heartbeat:
    """The beats of one run; all carry one ``rid``. ``ca_file`` has the certificates to trust."""

    def __init__(self, url: Secret, ca_file: str | None = None) -> None:
        self._url, self._ca_file = url, ca_file
        self._rid = str(uuid.uuid4())
        self._first: threading.Thread | None = None
        self.trouble: str | None = None

    def start(self) -> None:
        """The run begins. Nothing waits for it."""
        if self._first is None:
            self._first = self._in_background("/start", "")

    def end(self, code: int, summary: str) -> None:
        """The run ends with this exit code; waited for, a few seconds."""
        if code in QUIET:
            return
        until = time.monotonic() + PATIENCE
        last = self._in_background("" if code in WELL else "/fail", summary, after=self._first)
        if last is not None:
            last.join(max(0.0, until - time.monotonic()))
            if last.is_alive():
                self.trouble = "no answer in time"

    def _in_background(
        self, suffix: str, text: str, after: threading.Thread | None = None
    ) -> threading.Thread | None:
        def work() -> None:
            if after is not None:
                after.join(PATIENCE / 2)
            why = self._sent(suffix, text)
            self.trouble = self.trouble or why

        thread = threading.Thread(target=work, name="ldimport-heartbeat", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self.trouble = "the system gives no thread"
            return None
        return thread

    def _sent(self, suffix: str, text: str) -> str | None:
        """Why it did not arrive, without the URL; None: it did."""
        why: str | None = None
        for number in range(TRIES):
            time.sleep(PAUSE if number else 0.0)
            try:
                why = self._post(suffix, text.encode("utf-8", "replace")[:MOST_TEXT])
            except LdimportError as error:
                return error.message
            except Exception as error:  # noqa: BLE001  it must not harm the run
                why = type(error).__name__
            if why is None:
                return None
        return why

    def _post(self, suffix: str, body: bytes) -> str | None:
        import ssl

        import httpx

        url = address(self._url.reveal(), suffix, self._rid)
        verify = ssl.create_default_context(cafile=self._ca_file)
        headers = {"user-agent": f"ldimport/{__version__}", "content-type": "text/plain"}
        with httpx.Client(timeout=TIMEOUT, verify=verify, headers=headers) as client:
            answer = client.post(url, content=body)
        return None if answer.is_success else f"it answered {answer.status_code}"


def address(url: str, suffix: str, rid: str) -> str:
    """Where a beat goes: the suffix is part of the path, the query stays."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}{suffix}" if suffix else parts.path
    query = "&".join(filter(None, (parts.query, f"rid={rid}")))
    return urlunsplit(parts._replace(path=path, query=query, fragment=""))
