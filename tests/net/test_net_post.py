"""Posting webhooks: the same guard, no redirects, a bounded answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import pytest
from web_origin import Origin, Reply, Sockets

from ldimport.errors import Rejected
from ldimport.net.exchange import MAX_OTHER_BYTES
from ldimport.net.guard import Guard
from ldimport.net.post import post

BODY = '{"title":"Zürich"}'.encode()


def test_a_body_arrives_byte_for_byte_with_its_headers(origin: Origin) -> None:
    origin.script = lambda seen: Reply(202, b"thanks", {"Content-Type": "text/plain"})
    headers = {"Content-Type": "application/json", "webhook-id": "msg_1"}
    answer = post(origin.url("/hook?x=1"), BODY, headers, Guard([origin.place]), 5.0)
    assert (answer.status, answer.body) == (202, b"thanks")
    assert answer.headers["content-type"] == "text/plain"
    (seen,) = origin.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/hook?x=1", BODY)
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["webhook-id"] == "msg_1"
    assert seen.headers["user-agent"].startswith("ldimport/")
    assert "expect" not in seen.headers


def test_a_large_body_is_sent_at_once(origin: Origin) -> None:
    body = bytes(2_000_000)
    assert post(origin.url(), body, {}, Guard([origin.place]), 5.0).status == 200
    assert origin.seen[0].body == body


@pytest.mark.parametrize("status", [204, 302, 404, 410, 429, 503])
def test_any_status_is_an_answer_and_nothing_is_followed_or_repeated(
    origin: Origin, status: int
) -> None:
    origin.script = lambda seen: Reply(status, b"", {"Location": "/x", "Retry-After": "5"})
    answer = post(origin.url(), BODY, {}, Guard([origin.place]), 5.0)
    assert answer.status == status
    assert answer.headers["retry-after"] == "5"
    assert len(origin.seen) == 1


@pytest.mark.parametrize("status", [200, 500])
def test_no_more_than_64_kb_of_an_answer_is_kept(origin: Origin, status: int) -> None:
    origin.script = lambda seen: Reply(status, bytes(10_000_000))
    answer = post(origin.url(), BODY, {}, Guard([origin.place]), 5.0)
    assert answer.status == status
    assert len(answer.body) <= MAX_OTHER_BYTES


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://169.254.169.254/", "http://[::1]/"])
def test_the_guard_holds_for_posts_too(url: str) -> None:
    sockets = Sockets()
    with pytest.raises(Rejected) as caught:
        post(url, BODY, {}, Guard(), 1.0, open_socket=sockets)
    assert caught.value.code == "address-not-allowed"
    assert sockets.asked == []


def test_a_name_that_leads_home_is_refused() -> None:
    guard = Guard(resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(Rejected) as caught:
        post("http://hook.test/", BODY, {}, guard, 1.0)
    assert caught.value.code == "address-not-allowed"


def test_a_receiver_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(Rejected) as caught:
            post(f"http://{place}/", BODY, {}, Guard([place]), 0.2)
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)


def test_a_status_counts_even_if_its_body_never_comes(origin: Origin) -> None:
    origin.script = lambda seen: Reply(200, b"", {"Transfer-Encoding": "chunked"})
    answer = post(origin.url(), BODY, {}, Guard([origin.place]), 0.3)
    assert (answer.status, answer.body) == (200, b"")


def test_a_resolver_that_hangs_is_not_waited_for() -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        released.wait(timeout=60.0)
        return ["93.184.216.34"]

    released = threading.Event()
    with pytest.raises(Rejected) as caught:
        post("http://hook.test/", BODY, {}, Guard(resolve=resolve), 0.1)
    released.set()
    assert (caught.value.code, caught.value.retryable) == ("dns", True)


@pytest.mark.parametrize(("name", "value"), [("X-A", "b\r\nX-C: d"), ("X\n", "a"), ("X-A", "ä")])
def test_a_header_that_breaks_its_line_is_a_mistake_of_the_caller(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        post("http://hook.test/", BODY, {name: value}, Guard(), 1.0)
