"""Delivery of webhooks: what stands in the outbox is sent until it arrives or is given up.

Rules of Standard Webhooks 1.0 (https://www.standardwebhooks.com): 2xx is success; 410 ends it for
this address; 429, 502 and 504 slow the endpoint down; ``Retry-After`` is honoured; everything else
is tried again at growing intervals. The webhook-id stays the same over all tries, also when a
process was killed between sending and recording: receivers may see one twice, never none.
"""

from __future__ import annotations

import base64
import binascii
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ldimport import __version__, retry_after
from ldimport.authorities import TRUST_ANOTHER
from ldimport.causes import Cause
from ldimport.engine.records import Delivery, DeliveryOutcome, Notification
from ldimport.engine.store import Store, WorkerSession
from ldimport.errors import ConfigError, LdimportError, Rejected
from ldimport.system import scarce, start_thread
from ldimport.url import without_secrets

if TYPE_CHECKING:
    from standardwebhooks import Webhook

DELAYS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds from one try to the next, about; after the last the notification is given up."""
JITTER = 0.2
SLOW_DOWN = frozenset((429, 502, 504))
TIMEOUT = 20.0
"""Seconds for one try."""
MOST = 16
"""Tries under way at once, each to another endpoint."""
POLL = 0.05
LOOK = 1.0
"""Seconds between two looks for tries whose time has come."""
TROUBLE = 5.0
"""Seconds to wait after the catalogue could not be used."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One try. ``url`` is without its query, ``status`` None when there was no answer, ``note``
    says why it failed and what follows; empty when it arrived."""

    job: str
    url: str
    status: int | None
    seconds: float
    note: str = ""


_Tried = tuple[DeliveryOutcome, DeliveryAttempt]


def _signer(secret: str) -> Webhook:
    from standardwebhooks import Webhook

    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not 16 <= len(key) <= 64:
        raise ConfigError(
            "a webhook secret has to be whsec_ and 24 to 64 random bytes in base64",
            hint='make one: python -c "import base64, os; '
            "print('whsec_' + base64.b64encode(os.urandom(32)).decode())\"",
            code="bad-secret",
        )
    return Webhook(secret)


@dataclass(eq=False, repr=False)
class Sender:
    """Sends what is due, in a thread of its own, until ``end``. Several may work on one folder:
    each leases what it sends. Signs with every one of ``secrets``, so that a receiver may still
    have the old one while they are changed; raises ConfigError for one that is not ``whsec_`` and
    base64. ``on_attempt`` hears of every try, from another thread; ``now`` is Unix time."""

    store: Store
    secrets: Sequence[str] = ()
    _: KW_ONLY
    on_attempt: Callable[[DeliveryAttempt], None] = lambda _: None
    now: Callable[[], float] = time.time
    delays: Sequence[float] = DELAYS
    timeout: float = TIMEOUT
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._signers = tuple(map(_signer, self.secrets))
        self._tried: queue.SimpleQueue[_Tried] = queue.SimpleQueue()
        self._under_way = 0
        self._told = threading.Event()
        self._at_once = threading.Event()

    def start(self) -> None:
        """Begin to send. Raises TemporaryError when the system gives no thread."""
        self._thread = start_thread(self._run, name="ldimport-webhooks")

    def end(self, patience: float) -> None:
        """Send what is due, for at most ``patience`` seconds, then stop. What is left, or has no
        answer yet, is due again for whoever sends next."""
        until = self.monotonic() + patience
        while self.monotonic() < until and (self._under_way or self._any_due()):
            self.sleep(POLL)
        self._told.set()
        self._thread.join(max(0.0, until - self.monotonic()))
        self._at_once.set()
        self._thread.join()

    def _run(self) -> None:
        seen, looked_at = -1, float("-inf")
        while not self._told.is_set():
            try:
                version = self.store.version()
                if version != seen or self.monotonic() > looked_at + LOOK:
                    seen, looked_at = version, self.monotonic()
                    if self._any_due():
                        self._send_due()
            except LdimportError as error:  # disk full, or somebody holds the catalogue
                _log.warning("webhooks wait: %s", error.message)
                self._told.wait(TROUBLE)
            except Exception as error:  # noqa: BLE001  it must not end the sending for good
                short = scarce(error)
                why = short.message if short else "a bug in ldimport"
                _log.error("webhooks wait: %s", why, exc_info=None if short else error)
                self._told.wait(TROUBLE)
            self._told.wait(POLL)

    def _any_due(self) -> bool:
        return self.store.any_due(self.now())

    def _send_due(self) -> None:
        """Send until nothing is due and nothing under way; leases are held only meanwhile."""
        session = self.store.join()
        self._tried = queue.SimpleQueue()
        try:
            done: list[_Tried] = []
            while not self._at_once.is_set():
                self._turn(session, done)
                if not self._under_way:
                    return
                done = self._wait()
        finally:
            self._under_way = 0
            session.leave()

    def _turn(self, session: WorkerSession, done: Sequence[_Tried]) -> None:
        """One transaction: what came in is recorded, what is due leased; then it is sent."""
        room = 0 if self._told.is_set() else MOST - self._under_way + len(done)
        session.patrol()
        if not (done or session.ageing or (room and self._any_due())):
            return
        fresh = session.deliver([outcome for outcome, _ in done], room, self.now())
        self._under_way += len(fresh) - len(done)
        for each in fresh:
            start_thread(self._send, each, self._tried)
        for _, attempt in done:
            self.on_attempt(attempt)

    def _wait(self) -> list[_Tried]:
        """Tries that have ended, after at most a moment."""
        tried: list[_Tried] = []
        with suppress(queue.Empty):
            tried.append(self._tried.get(timeout=0.2))
            while True:
                tried.append(self._tried.get_nowait())
        return tried

    def _send(self, of: Notification, tried: queue.SimpleQueue[_Tried]) -> None:
        from ldimport.net.guard import Guard
        from ldimport.net.post import post

        began = self.monotonic()
        status, wait, why, hopeless = None, None, "", False
        try:
            guard = Guard(of.options.allow_hosts)
            headers = self._headers(of, self.now())
            ca_file = of.options.ca_file
            answer = post(of.url, of.body.encode(), headers, guard, self.timeout, ca_file=ca_file)
            status, told = answer.status, answer.headers.get("retry-after")
            wait = retry_after.seconds(told, self.now(), DELAYS[-1])
            why = f"the receiver answered {status}"
        except Rejected as rejected:
            why, hopeless = rejected.reason, not rejected.retryable
            if rejected.why.cause is Cause.TLS:
                why = f"{why}; for an authority of your own {TRUST_ANOTHER}"
        except ConfigError as error:  # the file of certificates may come back
            why = error.message
        except Exception as error:  # noqa: BLE001  whatever it is, the try has to end
            _log.exception("webhook %s", of.id)
            why = f"a bug in ldimport: {type(error).__name__}: {error}"
        outcome, note = self._judged(of, status, wait, why, hopeless)
        seconds = self.monotonic() - began
        attempt = DeliveryAttempt(of.job, without_secrets(of.url), status, seconds, note)
        tried.put((outcome, attempt))

    def _headers(self, of: Notification, now: float) -> dict[str, str]:
        moment = datetime.fromtimestamp(int(now), UTC)
        signed = [each.sign(of.id, moment, of.body) for each in self._signers]
        return {
            "content-type": "application/json",
            "user-agent": f"ldimport/{__version__}",
            "webhook-id": of.id,
            "webhook-timestamp": str(int(now)),
        } | ({"webhook-signature": " ".join(signed)} if signed else {})

    def _judged(
        self, of: Notification, status: int | None, wait: float | None, why: str, hopeless: bool
    ) -> tuple[DeliveryOutcome, str]:
        """What follows from an answer (Standard Webhooks 1.0), and how it is told."""
        now = self.now()
        if status is not None and 200 <= status < 300:
            return DeliveryOutcome(of, Delivery.DELIVERED, now, str(status)), ""
        if status == 410:
            why = "the receiver wants no more (410)"
            return DeliveryOutcome(of, Delivery.DISABLED, now, why), why
        if hopeless or of.tries > len(self.delays):
            return DeliveryOutcome(of, Delivery.FAILED, now, why), f"{why}; given up"
        spread = 1 + JITTER * (2 * random.random() - 1)  # noqa: S311  not a secret
        pause = max(self.delays[of.tries - 1] * spread, wait or 0.0)
        slow = now + pause if status in SLOW_DOWN else None
        outcome = DeliveryOutcome(of, Delivery.WAITING, now + pause, why, slow)
        return outcome, f"{why}; again in {pause:.0f} s"
