"""Fetching from real sockets: order, limits, retries, connections, redirects and the guard."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pycurl
import pytest
from web_origin import (
    CERTIFICATES,
    PHOTO,
    Clock,
    Make,
    Names,
    Origin,
    Reply,
    Seen,
    Sockets,
    check_url,
    fetch_one,
)

from ldimport.errors import ConfigError, Rejected, TemporaryError
from ldimport.model import Limits
from ldimport.net import body, fetch
from ldimport.net.body import Shelf
from ldimport.net.certificates import trusted_roots
from ldimport.net.exchange import Exchange
from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched, Postponed
from ldimport.net.guard import Guard
from ldimport.net.hosts import KEEP_SECONDS

HASHED = "3ced6be2.0"
"""The name that ``openssl rehash`` gives to ``self_signed.pem``."""


def codes(outcomes: Sequence[Fetched | NotFetched | Postponed]) -> list[str]:
    return [one.rejected.code if isinstance(one, NotFetched) else "ok" for one in outcomes]


def refused(fetcher: Fetcher, source: FetchSource) -> Rejected:
    with pytest.raises(Rejected) as caught:
        fetch_one(fetcher, source)
    return caught.value


# -- what comes out -------------------------------------------------------------------------


def test_a_photo_arrives_with_what_the_origin_said_of_it(origin: Origin, fetcher: Make) -> None:
    said = {"ETag": '"v1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    origin.script = lambda seen: Reply(headers={**said, "Content-Type": "image/png"})
    source = FetchSource(origin.url("/a b.png".replace(" ", "%20") + "?x=1"), tag=("row", 7))
    fetched = fetch_one(fetcher(), source)
    assert fetched == Fetched(
        source=source,
        body=PHOTO,
        etag='"v1"',
        last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
        not_modified=False,
    )


def test_every_source_comes_out_once(origin: Origin, fetcher: Make) -> None:
    origin.script = lambda seen: Reply(404 if seen.path.endswith("7") else 200)
    sources = [FetchSource(origin.url(f"/{n}"), tag=n) for n in range(50)] + [
        FetchSource("nonsense", tag=50)
    ]
    outcomes = list(fetcher().fetch_many(sources))
    assert sorted(outcome.source.tag for outcome in outcomes) == list(range(51))  # type: ignore[type-var]
    assert codes(outcomes).count("origin-404") == 5
    assert codes(outcomes).count("bad-url") == 1


def test_nothing_in_nothing_out(fetcher: Make) -> None:
    assert list(fetcher().fetch_many([])) == []


def test_the_request_carries_no_more_than_it_must(origin: Origin, fetcher: Make) -> None:
    fetch_one(fetcher(), FetchSource(origin.url()))
    (seen,) = origin.seen
    assert set(seen.headers) == {"host", "user-agent", "accept", "accept-encoding"}
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"].startswith("ldimport/")


def test_proxies_of_the_environment_are_ignored(
    origin: Origin, fetcher: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert fetch_one(fetcher(), FetchSource(origin.url())).body == PHOTO


# -- asking whether anything changed --------------------------------------------------------


def test_an_unchanged_source_is_not_sent_again(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        return Reply(304 if seen.headers.get("if-none-match") == '"v1"' else 200)

    origin.script = script
    with fetcher() as one:
        known = fetch_one(one, FetchSource(origin.url(), etag='"v1"', last_modified="yesterday"))
        changed = fetch_one(one, FetchSource(origin.url(), etag='"v0"'))
        plain = fetch_one(one, FetchSource(origin.url()))
    assert (known.not_modified, known.body) == (True, b"")
    assert (changed.not_modified, changed.body) == (False, PHOTO)
    assert plain.body == PHOTO
    assert origin.seen[0].headers["if-modified-since"] == "yesterday"
    assert "if-none-match" not in origin.seen[2].headers  # the handle was used before


def test_a_304_that_nobody_asked_for_is_refused(origin: Origin, fetcher: Make) -> None:
    origin.script = lambda seen: Reply(304)
    assert refused(fetcher(), FetchSource(origin.url())).code == "origin-304"


def test_a_stored_etag_cannot_add_headers(origin: Origin, fetcher: Make) -> None:
    fetch_one(fetcher(), FetchSource(origin.url(), etag='"a"\r\nX-Evil: 1', last_modified="ä"))
    assert not {"x-evil", "if-none-match", "if-modified-since"} & set(origin.seen[0].headers)


# -- limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [True, False])
def test_a_file_of_just_the_limit_is_taken_and_one_byte_more_is_not(
    origin: Origin, fetcher: Make, chunked: bool
) -> None:
    origin.script = lambda seen: Reply(body=bytes(int(seen.path[1:])), chunked=chunked)
    one = fetcher(Limits(max_bytes=300_000))
    assert len(fetch_one(one, FetchSource(origin.url("/300000"))).body) == 300_000
    found = refused(one, FetchSource(origin.url("/300001")))
    assert (found.code, found.retryable) == ("too-many-bytes", False)
    assert "the limit is 300,000" in found.reason


@pytest.mark.parametrize(("large", "together"), [(900, 64_000), (64_000, 900), (900, 900)])
def test_large_bodies_under_way_are_kept_on_disk(
    origin: Origin, fetcher: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    large: int, together: int,
) -> None:  # fmt: skip
    def script(seen: Seen) -> Reply:
        return Reply(body=seen.path.encode() * 200)

    made: list[Shelf] = []
    file = Shelf.file
    monkeypatch.setattr(body, "LARGE", large)
    monkeypatch.setattr(body, "MOST_IN_MEMORY", together)
    monkeypatch.setattr(Shelf, "file", lambda shelf: made.append(shelf) or file(shelf))
    origin.script = script
    one = fetcher(scratch=tmp_path)
    sources = [FetchSource(origin.url(f"/{n:06}")) for n in range(20)]
    for fetched in one.fetch_many(sources):
        assert isinstance(fetched, Fetched)
        assert fetched.body == fetched.source.url[-7:].encode() * 200
    assert made
    assert {shelf.held for shelf in made} == {0}
    assert list(tmp_path.iterdir()) == []


def test_no_disk_for_a_large_body_is_no_verdict_on_it(
    origin: Origin, fetcher: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "LARGE", 900)
    one = fetcher(scratch=tmp_path / "gone")
    with pytest.raises(TemporaryError, match="gone"):
        fetch_one(one, FetchSource(origin.url()))
    origin.script = lambda seen: Reply(body=PHOTO[:500])
    assert fetch_one(one, FetchSource(origin.url())).body == PHOTO[:500]


def test_no_more_than_the_limit_goes_to_one_host_at_a_time(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path != "/0":  # by which the host proves itself
            full.wait(timeout=60.0)  # nobody is answered before three are waiting
        return Reply()

    full = threading.Barrier(3)
    origin.script = script
    sources = [FetchSource(origin.url(f"/{n}")) for n in range(13)]
    outcomes = list(fetcher(Limits(per_host=3), concurrency=8).fetch_many(sources))
    assert codes(outcomes) == ["ok"] * 13
    assert origin.most_at_once == 3


def at_names(origin: Origin, *names: str) -> Guard:
    """A guard that lets these names lead to the origin."""
    return Guard(
        [f"{name}:{origin.port}" for name in names], resolve=lambda host, port: ["127.0.0.1"]
    )


def test_no_more_than_the_concurrency_is_under_way(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        full.wait(timeout=60.0)
        return Reply()

    full = threading.Barrier(2)
    origin.script = script
    names = ("a.test", "b.test", "c.test")
    sources = [FetchSource(origin.url(f"/{n}", names[n % 3])) for n in range(12)]
    one = fetcher(guard=at_names(origin, *names), concurrency=2)
    assert codes(list(one.fetch_many(sources))) == ["ok"] * 12
    assert origin.most_at_once == 2


def test_a_crowded_host_does_not_keep_others_waiting(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        if seen.headers["host"].startswith("free.test"):
            done.set()
        else:
            assert done.wait(timeout=60.0)  # the crowd is answered after the other host
        return Reply()

    done = threading.Event()
    origin.script = script
    hosts = ["crowded.test"] * 6 + ["free.test"]
    guard = at_names(origin, "crowded.test", "free.test")
    one = fetcher(Limits(per_host=1, tries=1), guard, concurrency=3)
    outcomes = list(one.fetch_many(FetchSource(origin.url("/", host)) for host in hosts))
    assert codes(outcomes) == ["ok"] * 7


def test_hosts_that_stall_keep_no_place_from_others(origin: Origin, fetcher: Make) -> None:
    """More of them than there are places; what waits there for long is given back, and tried at
    the next call."""

    def script(seen: Seen) -> Reply:
        if seen.headers["host"].startswith("still"):
            assert released.wait(timeout=60.0)
        return Reply()

    released = threading.Event()
    origin.script = script
    names = [f"still{n}.test" for n in range(4)]
    guard = at_names(origin, "free.test", *names)
    one = fetcher(Limits(per_host=2), guard, concurrency=2, clock=time.monotonic, sleep=time.sleep)
    free = [FetchSource(origin.url(f"/{n}", "free.test")) for n in range(60)]
    still = [FetchSource(origin.url(f"/{n}", names[n % 4])) for n in range(60)]
    outcomes = one.fetch_many([*still[:8], *free[:30], *still[8:], *free[30:]])
    came: list[Fetched | NotFetched | Postponed] = []
    while sum(isinstance(each, Fetched) for each in came) < 60:
        came.append(next(outcomes))
    back = [each.source for each in came if isinstance(each, Postponed)]
    assert back
    assert not any("still" in each.source.url for each in came if isinstance(each, Fetched))
    released.set()
    came += outcomes
    assert {each.source for each in came} == {*free, *still}
    assert codes([*one.fetch_many(back)]) == ["ok"] * len(back)


def test_where_all_stalls_the_archive_is_not_run_through(
    origin: Origin, fetcher: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MOST_VAIN", 20)
    released = threading.Event()
    origin.script = lambda seen: Reply() if released.wait(timeout=60.0) else Reply(500)
    one = fetcher(Limits(per_host=1), concurrency=1, clock=time.monotonic, sleep=time.sleep)
    sources = (FetchSource(origin.url(f"/{n}")) for n in range(100_000))
    end = time.monotonic() + 2.0
    outcomes = list(one.fetch_many(sources, lambda: time.monotonic() > end))
    released.set()
    assert 20 <= len(outcomes) <= 60


def test_sources_are_taken_only_a_few_ahead(origin: Origin, fetcher: Make) -> None:
    taken = 0

    def sources() -> Iterator[FetchSource]:
        nonlocal taken
        while taken < 1_000:
            taken += 1
            yield FetchSource(origin.url(f"/{taken}"))

    outcomes = fetcher(Limits(per_host=1), concurrency=4).fetch_many(sources())
    for _ in range(40):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert taken <= 40 + 5 * 4


def test_a_fetcher_goes_on_after_runs_were_left_in_the_middle(
    origin: Origin, fetcher: Make
) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/silent":
            released.wait(timeout=60.0)
        return Reply()

    def impatient() -> bool:
        return time.monotonic() > end

    released = threading.Event()
    end = time.monotonic() + 60.0
    origin.script = script
    one = fetcher(Limits(per_host=2), concurrency=2)
    for _ in range(2):
        left = one.fetch_many(
            [FetchSource(origin.url()), FetchSource(origin.url("/silent"))], impatient
        )
        assert next(left, None) is not None
        with pytest.raises(RuntimeError, match="one fetch_many at a time"):
            next(one.fetch_many([FetchSource(origin.url())]))
        left.close()  # type: ignore[attr-defined]
    released.set()
    sources = [FetchSource(origin.url(f"/{n}")) for n in range(9)]
    assert len(list(one.fetch_many(sources, impatient))) == 9


def test_stop_ends_it_and_what_was_under_way_does_not_come_out(
    origin: Origin, fetcher: Make
) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/0":
            return Reply()
        started.set()
        assert released.wait(timeout=60.0)
        return Reply()

    started, released = threading.Event(), threading.Event()
    origin.script = script
    sources = (FetchSource(origin.url(f"/{n}")) for n in range(1_000))
    outcomes = list(fetcher(concurrency=2).fetch_many(sources, started.is_set))
    released.set()
    assert len(outcomes) <= 1
    assert len(origin.seen) <= 3


# -- trying again ---------------------------------------------------------------------------


def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_not(
    origin: Origin, fetcher: Make, clock: Clock
) -> None:
    origin.script = lambda seen: Reply(int(seen.path[1:]))
    one = fetcher(concurrency=1)
    assert refused(one, FetchSource(origin.url("/503"))).retryable
    assert len(origin.seen) == 3
    assert clock.slept == pytest.approx(0.5 + 2.0)
    assert not refused(one, FetchSource(origin.url("/404"))).retryable
    assert len(origin.seen) == 4


def test_the_next_try_begins_at_the_source_again(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/photo.png":
            return Reply(302, headers={"Location": "/moved"})
        return Reply(503 if len(origin.seen) < 4 else 200)

    origin.script = script
    fetch_one(fetcher(), FetchSource(origin.url()))
    assert [seen.path for seen in origin.seen] == ["/photo.png", "/moved"] * 2


def test_no_try_begins_after_the_time_for_all_tries(
    origin: Origin, fetcher: Make, clock: Clock
) -> None:
    origin.script = lambda seen: Reply(503, headers={"Retry-After": "20"})
    found = refused(fetcher(Limits(tries=9, tries_seconds=50.0)), FetchSource(origin.url()))
    assert found.reason == "origin answered 503"
    assert len(origin.seen) == 3
    assert clock.slept == pytest.approx(40.0)


def test_a_host_that_asks_for_rest_is_left_alone_by_all(
    origin: Origin, fetcher: Make, clock: Clock
) -> None:
    def script(seen: Seen) -> Reply:
        at.append(clock.time)
        return Reply(429, headers={"Retry-After": "7"}) if len(at) == 1 else Reply()

    at: list[float] = []
    origin.script = script
    sources = [FetchSource(origin.url(f"/{n}")) for n in range(4)]
    outcomes = list(fetcher(Limits(per_host=1)).fetch_many(sources))
    assert codes(outcomes) == ["ok"] * 4
    assert len(at) == 5
    assert all(later - at[0] >= 7.0 for later in at[1:])


def test_a_host_out_of_reach_costs_the_next_images_one_try_each(clock: Clock) -> None:
    sockets = Sockets()
    with Fetcher(
        Limits(per_host=1),
        Guard(["127.0.0.1:9"]),
        clock=clock,
        sleep=clock.sleep,
        open_socket=sockets,
    ) as fetcher:
        outcomes = list(fetcher.fetch_many([FetchSource("http://127.0.0.1:9/")] * 10))
    assert codes(outcomes) == ["unreachable"] * 10
    assert all(isinstance(one, NotFetched) and one.rejected.retryable for one in outcomes)
    assert len(sockets.asked) == 10 + 10 + 1  # the first to use up its tries speaks for all


def test_a_name_that_fails_for_one_costs_no_try_of_another_that_rests(clock: Clock) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(clock.time)
        raise OSError("no answer")

    asked: list[float] = []
    guard, limits = Guard(resolve=resolve), Limits(tries=3)
    with Fetcher(
        limits, guard, concurrency=1, clock=clock, sleep=clock.sleep, chance=lambda: 1.0
    ) as fetcher:
        urls = ("http://a.test/1", "http://a.test/2")
        outcomes = list(fetcher.fetch_many(map(FetchSource, urls)))
    assert codes(outcomes) == ["dns", "dns"]
    assert asked == [1_000.0, 1_000.0, 1_000.5, 1_002.5]  # each begins alone, then they go together


def test_a_closed_port_is_said_in_words(fetcher: Make, origin: Origin) -> None:
    guard = Guard(["127.0.0.1:1"])
    found = refused(fetcher(guard=guard), FetchSource("http://127.0.0.1:1/a.png?key=hush"))
    assert found.reason == "could not connect to 127.0.0.1:1"


# -- names and addresses --------------------------------------------------------------------


def test_a_name_is_resolved_once_for_many_sources(origin: Origin, fetcher: Make) -> None:
    names = Names(photos_test=[["127.0.0.1"]])
    guard = Guard([f"photos.test:{origin.port}"], resolve=names)
    sources = [FetchSource(origin.url(f"/{n}", "photos.test")) for n in range(30)]
    assert codes(list(fetcher(guard=guard).fetch_many(sources))) == ["ok"] * 30
    assert names.asked == ["photos.test"]
    assert {seen.headers["host"] for seen in origin.seen} == {f"photos.test:{origin.port}"}


def test_a_name_that_moves_into_a_private_network_is_refused_at_the_next_look(
    clock: Clock,
) -> None:
    names = Names(photos_test=[["93.184.216.34"], ["127.0.0.1"]])
    sockets = Sockets()
    with Fetcher(
        Limits(tries=1),
        Guard(resolve=names),
        clock=clock,
        sleep=clock.sleep,
        open_socket=sockets,
    ) as fetcher:
        source = FetchSource("http://photos.test/")
        found = [refused(fetcher, source).code for _ in range(2)]
        assert names.asked == ["photos.test"]  # within a few seconds the checked answer holds
        clock.time += KEEP_SECONDS
        found += [refused(fetcher, source).code for _ in range(2)]
    assert found == ["unreachable", "unreachable", "address-not-allowed", "address-not-allowed"]
    assert set(sockets.asked) == {("93.184.216.34", 80)}


def test_a_name_that_moves_is_followed_to_its_new_address(clock: Clock) -> None:
    names = Names(photos_test=[["93.184.216.34"], ["93.184.216.35"], ["93.184.216.34"]])
    sockets = Sockets()
    with Fetcher(
        Limits(tries=1),
        Guard(resolve=names),
        clock=clock,
        sleep=clock.sleep,
        open_socket=sockets,
    ) as fetcher:
        for _ in range(3):
            list(fetcher.fetch_many([FetchSource("http://photos.test/")] * 2))
            clock.time += KEEP_SECONDS
    last = [address.rpartition(".")[2] for address, _ in sockets.asked]
    assert last == ["34", "34", "35", "35", "34", "34"]


def test_a_socket_is_refused_if_libcurl_goes_elsewhere(origin: Origin) -> None:
    guard = Guard(resolve=Names(photos_test=[["93.184.216.34"]]))
    sockets = Sockets(real=True)
    exchange = Exchange(roots=trusted_roots(), open_socket=sockets)
    exchange.begin(check_url(guard, "http://photos.test/"), 2.0)
    exchange.curl.setopt(pycurl.CONNECT_TO, [f"::127.0.0.1:{origin.port}"])
    with pytest.raises(Rejected) as caught:
        exchange.perform()
    exchange.close()
    assert caught.value.code == "address-not-allowed"
    assert sockets.asked == []
    assert origin.seen == []


def test_the_next_address_of_a_name_is_tried_when_the_first_is_dead(
    origin: Origin, fetcher: Make
) -> None:
    guard = Guard([f"photos.test:{origin.port}"], resolve=Names(photos_test=[["::1", "127.0.0.1"]]))
    assert (
        fetch_one(fetcher(guard=guard), FetchSource(origin.url(host="photos.test"))).body == PHOTO
    )


def test_a_resolver_that_hangs_holds_up_only_its_own_host(origin: Origin, fetcher: Make) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        if host == "slow.test":
            assert released.wait(timeout=60.0)
        return ["127.0.0.1"]

    released = threading.Event()
    guard = Guard([f"{name}.test:{origin.port}" for name in ("slow", "fast")], resolve=resolve)
    hosts = ["slow.test", *["fast.test"] * 5, "slow.test"]
    outcomes = fetcher(guard=guard).fetch_many(
        [FetchSource(origin.url("/", host)) for host in hosts]
    )
    for _ in range(5):
        assert "fast.test" in next(outcomes).source.url
    released.set()
    assert {one.source.url for one in outcomes} == {origin.url("/", "slow.test")}


def test_a_resolver_that_never_answers_is_given_up(clock: Clock) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        released.wait(timeout=60.0)
        return ["127.0.0.1"]

    def ticking() -> float:
        clock.time += 5.0
        return clock.time

    released = threading.Event()
    with Fetcher(Limits(tries=1), Guard(resolve=resolve), clock=ticking) as fetcher:
        found = refused(fetcher, FetchSource("http://slow.test/"))
    released.set()
    assert (found.code, found.retryable) == ("dns", True)


def test_an_unknown_name_is_asked_for_again_and_given_up(fetcher: Make, clock: Clock) -> None:
    names = Names()
    found = refused(fetcher(guard=Guard(resolve=names)), FetchSource("http://nowhere.test/"))
    assert (found.code, found.retryable) == ("dns", True)
    assert len(names.asked) == 3


# -- connections ----------------------------------------------------------------------------


def test_a_connection_is_used_again(origin: Origin, fetcher: Make) -> None:
    one = fetcher(concurrency=1)
    for n in range(5):
        fetch_one(one, FetchSource(origin.url(f"/{n}")))
    list(one.fetch_many(FetchSource(origin.url(f"/{n}")) for n in range(5)))
    assert {seen.connection for seen in origin.seen} == {1}


def test_silence_on_a_connection_used_before_is_no_lack_of_a_connection(
    origin: Origin, fetcher: Make
) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/silent":
            released.wait(timeout=60.0)
        return Reply()

    released = threading.Event()
    origin.script = script
    one = fetcher(Limits(fetch_seconds=0.2, tries=1), concurrency=1)
    fetch_one(one, FetchSource(origin.url()))
    found = refused(one, FetchSource(origin.url("/silent")))
    released.set()
    assert {seen.connection for seen in origin.seen} == {1}
    assert found.code == "timeout"


def test_an_error_page_does_not_cost_the_connection(origin: Origin, fetcher: Make) -> None:
    origin.script = lambda seen: Reply(404, body=bytes(5_000))
    one = fetcher(concurrency=1)
    for _ in range(3):
        refused(one, FetchSource(origin.url()))
    assert {seen.connection for seen in origin.seen} == {1}


def test_a_connection_is_never_shared_by_two_names_of_one_address(
    origin: Origin, fetcher: Make
) -> None:
    names = Names(a_test=[["127.0.0.1"]], b_test=[["127.0.0.1"]])
    guard = Guard([f"a.test:{origin.port}", f"b.test:{origin.port}"], resolve=names)
    with fetcher(guard=guard, concurrency=1) as one:
        for host in ("a.test", "b.test", "a.test", "b.test"):
            fetch_one(one, FetchSource(origin.url(host=host)))
    by_name = [(seen.headers["host"][:6], seen.connection) for seen in origin.seen]
    assert by_name == [("a.test", 1), ("b.test", 2), ("a.test", 1), ("b.test", 2)]


# -- redirects ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(origin: Origin, fetcher: Make, status: int) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/new.png?x=1":
            return Reply()
        return Reply(status, headers={"Location": "/new.png?x=1#top"})

    origin.script = script
    fetch_one(fetcher(), FetchSource(origin.url()))
    assert origin.seen[-1].path == "/new.png?x=1"


def test_a_cookie_of_a_redirect_lives_for_that_image_alone(origin: Origin, fetcher: Make) -> None:
    """Hosts send whoever comes without their cookie to the same address again, with one."""

    def script(seen: Seen) -> Reply:
        if seen.headers.get("cookie") == "seen=1":
            return Reply()
        return Reply(302, headers={"Location": seen.path, "Set-Cookie": "seen=1; Path=/"})

    origin.script = script
    sources = [FetchSource(origin.url("/a.png")), FetchSource(origin.url("/b.png"))]
    with fetcher(concurrency=1) as one:
        assert all(isinstance(each, Fetched) for each in one.fetch_many(sources))
    assert ["cookie" in seen.headers for seen in origin.seen] == [False, True, False, True]


def test_a_cookie_is_not_sent_to_another_origin(origin: Origin, fetcher: Make) -> None:
    """Not even on the same host, though a cookie has no port."""
    with closing(Origin()) as other:
        headers = {"Location": other.url("/new.png"), "Set-Cookie": "a=b; Path=/"}
        origin.script = lambda _: Reply(302, headers=headers)
        guard = Guard([origin.place, other.place])
        fetch_one(fetcher(guard=guard), FetchSource(origin.url()))
        assert [seen.path for seen in other.seen] == ["/new.png"]
        assert "cookie" not in other.seen[0].headers


def test_as_many_redirects_as_allowed_are_followed(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        left = int(seen.path[1:])
        return Reply(302, headers={"Location": f"/{left - 1}"}) if left else Reply()

    origin.script = script
    assert fetch_one(fetcher(), FetchSource(origin.url("/5"))).body == PHOTO
    found = refused(fetcher(), FetchSource(origin.url("/6")))
    assert found.code == "too-many-redirects"
    assert "after 5 redirects" in found.reason


def test_a_redirect_to_a_private_address_is_refused_before_any_socket(
    origin: Origin, fetcher: Make
) -> None:
    origin.script = lambda seen: Reply(302, headers={"Location": "http://10.0.0.1/x?key=hush"})
    sockets = Sockets(real=True)
    found = refused(fetcher(open_socket=sockets), FetchSource(origin.url()))
    assert found.code == "address-not-allowed"
    assert "10.0.0.1" in found.reason
    assert "after 1 redirect" in found.reason
    assert "hush" not in found.reason
    assert set(sockets.asked) == {("127.0.0.1", origin.port)}


def test_a_redirect_to_a_name_that_was_allowed_is_followed(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/there":
            return Reply()
        return Reply(302, headers={"Location": origin.url("/there", "intern.test")})

    origin.script = script
    names = Names(intern_test=[["127.0.0.1"]])
    place = f"intern.test:{origin.port}"
    assert refused(fetcher(), FetchSource(origin.url())).code == "address-not-allowed"
    allowed = fetcher(guard=Guard([origin.place, place], resolve=names))
    assert fetch_one(allowed, FetchSource(origin.url())).body == PHOTO


def test_an_endless_page_behind_a_redirect_is_not_read(origin: Origin, fetcher: Make) -> None:
    def script(seen: Seen) -> Reply:
        if seen.path == "/there":
            return Reply()
        return Reply(302, body=bytes(5_000_000), headers={"Location": "/there"})

    origin.script = script
    assert fetch_one(fetcher(), FetchSource(origin.url())).body == PHOTO


# -- trust ----------------------------------------------------------------------------------


def test_a_file_of_certificates_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(ConfigError, match="caFile names /nowhere/roots"):
        Fetcher(Limits(), Guard(), ca_file="/nowhere/roots.pem")


def test_certificates_named_for_the_api_hold_for_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fetcher: Make
) -> None:
    """``SSL_CERT_FILE``, or a folder of files that are named by the hash of their subject."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with closing(Origin("self_signed.pem")) as secure:
        assert refused(*over_tls(secure, fetcher, None)).code == "tls"
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATES / "self_signed.pem"))
        assert fetch_one(*over_tls(secure, fetcher, None)).body == PHOTO
        monkeypatch.delenv("SSL_CERT_FILE")
        copyfile(CERTIFICATES / "self_signed.pem", tmp_path / HASHED)
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
        assert fetch_one(*over_tls(secure, fetcher, None)).body == PHOTO


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_said_at_once(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, "/nowhere/roots")
    with pytest.raises(ConfigError, match="/nowhere/roots") as caught:
        Fetcher(Limits(), Guard())
    assert variable in str(caught.value.hint)


@pytest.mark.parametrize(
    ("certificate", "trusted", "why"),
    [
        ("self_signed.pem", False, "self-signed"),
        ("other_name.pem", True, "photos.test"),
        ("expired.pem", True, "expired"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused_for_good(
    certificate: str, trusted: bool, why: str, fetcher: Make
) -> None:
    found = refused_over_tls(certificate, fetcher, certificate if trusted else None)
    assert (found.code, found.retryable) == ("tls", False)
    assert why in found.reason


def refused_over_tls(certificate: str, fetcher: Make, trusted: str | None) -> Rejected:
    secure = Origin(certificate)
    try:
        return refused(*over_tls(secure, fetcher, trusted))
    finally:
        secure.close()


def over_tls(secure: Origin, fetcher: Make, trusted: str | None) -> tuple[Fetcher, FetchSource]:
    names = Names(photos_test=[["127.0.0.1"]])
    guard = Guard([f"photos.test:{secure.port}"], resolve=names)
    ca_file = str(CERTIFICATES / trusted) if trusted else None
    return fetcher(guard=guard, ca_file=ca_file), FetchSource(f"https://photos.test:{secure.port}/")


def test_a_trusted_certificate_of_the_right_name_is_taken(fetcher: Make) -> None:
    secure = Origin("self_signed.pem")
    try:
        one, source = over_tls(secure, fetcher, "self_signed.pem")
        with one:
            assert fetch_one(one, source).body == PHOTO
    finally:
        secure.close()


def test_plain_http_behind_https_is_refused(origin: Origin, fetcher: Make) -> None:
    found = refused(fetcher(), FetchSource(origin.url().replace("http:", "https:")))
    assert found.code in ("tls", "connection-lost")
