"""Delivery of webhooks by a served engine."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from served import (
    REAL,
    Api,
    Hook,
    Origin,
    Receiver,
    a_receiver,
    client,
    image,
    process,
    served,
    until,
)
from standardwebhooks import Webhook, WebhookVerificationError

from ldimport.engine import Engine
from ldimport.engine.store import open_store
from ldimport.engine.webhooks import DeliveryAttempt, Sender
from ldimport.errors import ConfigError
from ldimport.model import Image, ImportRequest, JobOptions

OLD = "whsec_" + base64.b64encode(b"o" * 32).decode()
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()


class Clock:
    """Seconds that tests set, for both clocks of a sender."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine") as opened:
        yield opened


def ended_job(engine: Engine, receiver_url: str, *allow: str) -> str:
    """A job that has ended, so that its notification is due: its one image is refused."""
    refused = Image("1", "http://10.0.0.1/x.jpg", "x", {})
    options = JobOptions(allow_hosts=allow)
    job = engine.submit(ImportRequest("archive", (refused,), receiver_url), options=options)
    engine.run()
    return job


@contextmanager
def sending(engine: Engine, **options: Any) -> Iterator[list[DeliveryAttempt]]:
    """A sender at work; what it tried. A ``clock`` is its time by both clocks."""
    if clock := options.pop("clock", None):
        options |= {"now": clock, "monotonic": clock}
    tries: list[DeliveryAttempt] = []
    store = open_store(engine.folder)
    sender = Sender(store, on_attempt=tries.append, **options)
    sender.start()
    try:
        yield tries
    finally:
        sender.end(5.0)
        store.close()


def states(engine: Engine) -> dict[str, str]:
    with engine.store._catalogue.writing() as connection:
        return {row["id"]: row["state"] for row in connection.execute("SELECT * FROM webhook")}


# -- signatures -----------------------------------------------------------------------------


def test_signatures_by_each_secret_over_the_bytes_sent(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    with served(tmp_path / "e", allow=(origin.host, receiver.host), secrets=(NEW, OLD)) as api:
        api.start(image("1", origin.url("1.jpg")), webhook=receiver.url, context={"ü": "ß"})
        (hook,) = receiver.got()
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(hook.body, dict(hook.headers))["context"] == {"ü": "ß"}
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(hook.body, dict(hook.headers))


def test_without_a_secret_nothing_is_signed(engine: Engine, receiver: Receiver) -> None:
    ended_job(engine, receiver.url, receiver.host)
    with sending(engine):
        (hook,) = receiver.got()
    assert "webhook-signature" not in hook.headers and hook.headers["webhook-timestamp"].isdigit()


@pytest.mark.parametrize("secret", ["secret", "whsec_", "whsec_AAAA", "whsec_###"])
def test_a_secret_that_is_none(tmp_path: Path, secret: str) -> None:
    with (
        pytest.raises(ConfigError, match="webhook secret") as caught,
        served(tmp_path / "engine", workers=0, secrets=(secret,)),
    ):
        pass
    assert secret in ("secret", "whsec_") or secret not in caught.value.message


def test_secrets_come_from_the_environment(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    options = ("--port", "0", "--workers", "1", "--allow-host", origin.host, "--allow-host",
               receiver.host)  # fmt: skip
    secrets = {"LDIMPORT_WEBHOOK_SECRET": f"{NEW} {OLD}"}
    with process(tmp_path, *options, env=secrets) as running, client(running.url) as http:
        job = Api(running.url, http).start(image("1", origin.url("1.jpg")), webhook=receiver.url)
        (hook,) = receiver.got()
        told = until(lambda: running.told("webhook"))
    assert Webhook(OLD).verify(hook.body, dict(hook.headers))["id"] == job
    assert (told[0]["job"], told[0]["status"]) == (job, 200)


# -- retries --------------------------------------------------------------------------------


def test_tried_again_with_the_same_id_and_a_new_time(engine: Engine, receiver: Receiver) -> None:
    clock = Clock()
    answers = iter([500, 302, 200])
    receiver.answer = lambda _: (next(answers), {"Location": "http://127.0.0.1:1/"})
    job = ended_job(engine, receiver.url, receiver.host)
    with sending(engine, clock=clock) as tries:
        for count in (1, 2, 3):
            until(lambda: len(tries) >= count)  # noqa: B023  called at once
            clock.at += 86_400
    first, second, third = receiver.hooks
    assert {each.id for each in (first, second, third)} == {f"msg_{job}"}
    assert first.body == second.body == third.body
    assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]
    assert [each.status for each in tries] == [500, 302, 200]
    assert set(states(engine).values()) == {"delivered"}


def test_given_up_after_the_last_try(engine: Engine, receiver: Receiver) -> None:
    receiver.answer = lambda _: (500, {})
    ended_job(engine, receiver.url, receiver.host)
    clock = Clock()
    with sending(engine, clock=clock, delays=(5.0, 5.0)) as tries:
        for count in (1, 2, 3):
            until(lambda: len(tries) == count)  # noqa: B023  called at once
            clock.at += 10
    assert set(states(engine).values()) == {"failed"}
    assert len(receiver.hooks) == 3 and tries[-1].note.endswith("given up")


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(engine: Engine, receiver: Receiver, status: int) -> None:
    clock = Clock()
    receiver.answer = lambda _: (status, {"Retry-After": "3600"})
    ended_job(engine, receiver.url, receiver.host)
    with sending(engine, clock=clock) as tries:
        until(lambda: len(tries) == 1)
        receiver.answer = lambda _: (200, {})
        clock.at += 3_500
        assert not list(due(engine, clock.at))
        clock.at += 101
        until(lambda: len(tries) == 2)
    assert tries[0].note.endswith("again in 3600 s") and tries[1].status == 200


def due(engine: Engine, now: float) -> Iterator[str]:
    """Notifications that may be sent at a time."""
    with engine.store._catalogue.writing() as connection:
        sql = "SELECT id FROM webhook WHERE state = 'waiting' AND due_at <= ?"
        yield from [row["id"] for row in connection.execute(sql, (now,))]


def test_gone_disables_the_address(engine: Engine, receiver: Receiver) -> None:
    receiver.answer = lambda _: (410, {})
    for _ in range(3):
        ended_job(engine, receiver.url, receiver.host)
    with sending(engine):
        until(lambda: set(states(engine).values()) == {"disabled"})
    assert len(receiver.hooks) == 1


def test_a_slow_receiver_delays_nobody_else(engine: Engine, receiver: Receiver) -> None:
    gate = threading.Event()
    receiver.answer = lambda _: (200, {}) if gate.wait(100) else (500, {})
    with a_receiver() as other:
        for _ in range(3):
            ended_job(engine, receiver.url, receiver.host)
        for _ in range(5):
            ended_job(engine, other.url, other.host)
        with sending(engine):
            assert len({each.id for each in other.got(5)}) == 5
            assert len(receiver.hooks) == 1  # one at a time, and it still waits
            gate.set()
            assert len({each.id for each in receiver.got(3)}) == 3


# -- where they may go ----------------------------------------------------------------------


def test_private_addresses_are_refused_unless_the_job_allows_them(
    engine: Engine, receiver: Receiver
) -> None:
    refused = ended_job(engine, receiver.url)
    allowed = ended_job(engine, receiver.url, receiver.host)
    with sending(engine) as tries:
        until(lambda: len(tries) == 2)
    assert [each.id for each in receiver.hooks] == [f"msg_{allowed}"]
    assert states(engine) == {f"msg_{refused}": "failed", f"msg_{allowed}": "delivered"}
    (note,) = [each.note for each in tries if each.job == refused]
    assert "given up" in note and receiver.host in note


def test_a_query_of_the_address_is_not_told(engine: Engine, receiver: Receiver) -> None:
    ended_job(engine, f"{receiver.url}?key=sesame", receiver.host)
    with sending(engine) as tries:
        until(lambda: tries)
    assert "sesame" not in str(tries)


# -- death ----------------------------------------------------------------------------------


def test_killed_between_sending_and_recording_the_same_id_comes_again(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    """The receiver has the webhook and its answer is under way when the server is killed."""
    options = ("--port", "0", "--workers", "1", "--allow-host", origin.host, "--allow-host",
               receiver.host)  # fmt: skip
    with process(tmp_path, *options, command=REAL) as running, client(running.url) as http:

        def killing(_: Hook) -> tuple[int, dict[str, str]]:
            running.process.kill()
            running.process.wait()
            return 200, {}

        receiver.answer = killing
        job = Api(running.url, http).start(image("1", origin.url("1.jpg")), webhook=receiver.url)
        running.wait()
    receiver.answer = lambda _: (200, {})
    with process(tmp_path, *options) as again:
        hooks = receiver.got(2)
        until(lambda: again.told("webhook"))
    assert {each.id for each in hooks} == {f"msg_{job}"} and hooks[0].body == hooks[1].body


def test_ends_at_once_although_a_receiver_hangs(engine: Engine, receiver: Receiver) -> None:
    gate = threading.Event()
    receiver.answer = lambda _: (200, {}) if gate.wait(100) else (500, {})
    job = ended_job(engine, receiver.url, receiver.host)
    store = open_store(engine.folder)
    tries: list[DeliveryAttempt] = []
    sender = Sender(store, on_attempt=tries.append)
    sender.start()
    receiver.got()
    sender.end(0.2)
    assert not tries  # neither an answer nor the end of its time was waited for
    gate.set()
    store.close()
    assert states(engine) == {f"msg_{job}": "waiting"}
