"""What the sender makes of the answers of receivers, by a clock of its own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from origins import Clock, image, request, wait_for

from ldimport.engine import Engine
from ldimport.engine.webhooks import DeliveryAttempt, Sender
from ldimport.net.exchange import Answer


@pytest.fixture
def engine(open_engine: Callable[..., Engine], clock: Clock) -> Engine:
    return open_engine(now=clock)


class Receivers:
    """Answers instead of ``net.post.post``; ``asked`` are the urls, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status: dict[str, int] = {}
        self.headers: dict[str, str] = {}

    def post(self, url: str, *_: object, **__: object) -> Answer:
        self.asked.append(url)
        return Answer(self.status.get(url, 200), self.headers, b"", cut=False, broken=None)


@pytest.fixture
def receivers(monkeypatch: pytest.MonkeyPatch) -> Receivers:
    made = Receivers()
    monkeypatch.setattr("ldimport.net.post.post", made.post)
    return made


def ended(engine: Engine, *webhooks: str) -> None:
    """Jobs that have ended, each with a notification."""
    for n, webhook in enumerate(webhooks):
        engine.submit(request(image(f"{n}", "https://10.0.0.1/a.jpg"), webhook=webhook))
    engine.run()


@contextmanager
def sending(engine: Engine, clock: Clock) -> Iterator[list[DeliveryAttempt]]:
    """A sender at work; what it tried."""
    tries: list[DeliveryAttempt] = []
    sender = Sender(engine.store, on_attempt=tries.append, now=clock)
    sender.start()
    try:
        yield tries
    finally:
        sender.end(0.0)


A, B, OTHER = "https://a.example/1", "https://a.example/2", "https://b.example/1"


@pytest.mark.parametrize("status", [429, 502, 504])
def test_a_receiver_that_asks_for_it_is_left_alone_whatever_the_url(
    engine: Engine, clock: Clock, receivers: Receivers, status: int
) -> None:
    receivers.status[A] = status
    receivers.headers["retry-after"] = "1000"
    ended(engine, A, B, OTHER)
    with sending(engine, clock) as tries:
        wait_for(lambda: len(tries) == 2)
        assert set(receivers.asked) == {A, OTHER}
        clock.at += 990
        assert not engine.store.any_due(clock.at)
        receivers.status.clear()
        clock.at += 11
        wait_for(lambda: len(tries) == 4)
    assert sorted(receivers.asked) == [A, A, B, OTHER]
    assert tries[0].note.endswith("again in 1000 s") or tries[1].note.endswith("again in 1000 s")


def test_one_that_has_trouble_with_one_of_them_gets_the_next(
    engine: Engine, clock: Clock, receivers: Receivers
) -> None:
    receivers.status[A] = 500
    ended(engine, A, B)
    with sending(engine, clock) as tries:
        wait_for(lambda: len(tries) == 2)
    assert receivers.asked == [A, B]


def test_a_bug_ends_the_try_and_not_the_sending(
    engine: Engine, clock: Clock, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(url: str, *_: object, **__: object) -> Answer:
        if url == A:
            raise ZeroDivisionError("one")
        return receivers.post(url)

    monkeypatch.setattr("ldimport.net.post.post", broken)
    ended(engine, A, OTHER)
    with sending(engine, clock) as tries:
        wait_for(lambda: len(tries) == 2)
    (bug,) = [each.note for each in tries if each.note]
    assert bug.startswith("a bug in ldimport: ZeroDivisionError: one; again in ")


def test_the_end_waits_for_what_is_due_without_working_hard(
    engine: Engine, clock: Clock, receivers: Receivers
) -> None:
    ended(engine, A)
    slept: list[float] = []
    ticks = itertools.count(0.0, 1.0)
    sender = Sender(engine.store, now=clock, monotonic=lambda: next(ticks), sleep=slept.append)
    sender._thread = threading.Thread(target=lambda: None)
    sender._thread.start()
    sender.end(9.0)
    assert 0 < len(slept) < 10 and receivers.asked == []


def test_nothing_more_is_begun_once_it_is_told_to_end(
    engine: Engine, clock: Clock, receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(url: str, *_: object, **__: object) -> Answer:
        asked.set()
        go_on.wait()
        return receivers.post(url)

    monkeypatch.setattr("ldimport.net.post.post", slow)
    ended(engine, A, B)
    sender = Sender(engine.store, now=clock)
    sender.start()
    asked.wait()
    sender._told.set()
    go_on.set()
    sender._thread.join()
    sender.end(0.0)
    assert receivers.asked == [A]
