"""One reader of URLs: what is checked is what is fetched, and what ``validate`` passes is taken."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport.errors import Rejected
from ldimport.model import Severity
from ldimport.net.guard import Guard
from ldimport.schema.check import PLAIN, url_findings
from ldimport.url import (
    _parts,
    host_of,
    is_http_url,
    is_loopback,
    is_relative,
    join,
    origin_of,
    parse,
    server_url,
    without_secrets,
)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("HTTP://Photos.TEST", "http://photos.test/"),
        ("http://photos.test:80/a", "http://photos.test/a"),
        ("https://photos.test:443/a", "https://photos.test/a"),
        ("https://photos.test:80/a", "https://photos.test:80/a"),
        ("http://photos.test./a", "http://photos.test/a"),
        ("http://photos.test:/a", "http://photos.test/a"),
        ("http://photos.test?x=1#top", "http://photos.test/?x=1"),
        ("http://photos.test/a%20b%2F?c=%zz", "http://photos.test/a%20b%2F?c=%zz"),
        ("http://photos.test/Zürich/<ä>.jpg", "http://photos.test/Z%C3%BCrich/%3C%C3%A4%3E.jpg"),
        ("http://bücher.test/", "http://xn--bcher-kva.test/"),
        ("http://my_bucket.photos.test/", "http://my_bucket.photos.test/"),
        ("http://photo-.test/", "http://photo-.test/"),
        ("http://-photo.test/", "http://-photo.test/"),
        ("http://☃.test/", "http://xn--n3h.test/"),
        ("http://I❤️.test/", "http://xn--i-7iq.test/"),
        ("http://BÜRO.test/", "http://xn--bro-hoa.test/"),
        ("http://[2606:4700:0:0::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("http://①②⑦.0.0.1/", "http://127.0.0.1/"),
        ("http://photos.test/@a:b", "http://photos.test/@a:b"),
    ],
)
def test_a_url_has_one_plain_form(text: str, plain: str) -> None:
    assert parse(text).text == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "photos.test/a.jpg",
        "//photos.test/",
        "http:photos.test",
        "https://https://photos.test/a",
        "http://HTTP//photos.test/a",
        "http:///a.jpg",
        "http://",
        "http://.",
        "file:///etc/passwd",
        "gopher://photos.test/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://user@photos.test/",
        "http://user:word@photos.test/",
        "http://photos.test@127.0.0.1/",
        "http://photos.test\\@127.0.0.1/",
        "http://photos.test/a b",
        "http://photos.test/a\r\nX: y",
        "http://photos.test/a\tb",
        "http://photos.test/a\0b",
        " http://photos.test/",
        "http://photos.test:0/",
        "http://photos.test:65536/",
        "http://photos.test:x/",
        "http://photos.test:80:80/",
        "http://photos..test/",
        "http://photos%2etest/",
        "http://photos.test%00.evil.test/",
        "http://" + "a" * 64 + ".test/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://256.256.256.256/",
        "http://[::1%25lo]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://[]/",
        "http://::1/",
        "http://\ud800.test/",
        "http://photos.test/\ud800",
        "http://photos.test/" + "a" * 8_192,
    ],
)
def test_a_url_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse(text)
    assert caught.value.code == "bad-url"
    assert not caught.value.retryable


@given(st.text(), st.text(alphabet="ab.:@/\\?#[]%01x7-_ü\t "))
def test_the_plain_form_reads_the_same_again(scheme_and_more: str, rest: str) -> None:
    for text in (scheme_and_more, f"http://{rest}", f"http://a.test{scheme_and_more}"):
        try:
            url = parse(text)
        except Rejected as rejected:
            assert rejected.code == "bad-url"
            continue
        assert parse(url.text) == url
        assert url.text.isascii()
        assert url.text.isprintable()
        assert " " not in url.text


@pytest.mark.parametrize(
    ("location", "meant"),
    [
        (b"/b.jpg", "https://photos.test/b.jpg"),
        (b"b.jpg?x=1#y", "https://photos.test/a/b.jpg?x=1#y"),
        (b"../b.jpg", "https://photos.test/b.jpg"),
        (b"//cdn.test/b.jpg", "https://cdn.test/b.jpg"),
        (b" http://cdn.test/b c.jpg ", "http://cdn.test/b%20c.jpg"),
        ("/Zürich.jpg".encode(), "https://photos.test/Z%C3%BCrich.jpg"),
        ("/Zürich.jpg".encode("latin-1"), "https://photos.test/Z%FCrich.jpg"),
        (b"/done%20so.jpg", "https://photos.test/done%20so.jpg"),
        (b"file:///etc/passwd", "file:///etc/passwd"),
    ],
)
def test_a_location_is_read_as_seen_from_its_page(location: bytes, meant: str) -> None:
    assert join(parse("https://photos.test/a/page"), location) == meant


@pytest.mark.parametrize("location", [b"http://10.0.0.1\t.test/", b"/a\nb", b"/a\0b", b"http://[/"])
def test_a_location_that_could_mean_two_things_is_refused(location: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        join(parse("https://photos.test/"), location)
    assert caught.value.code == "bad-url"


@given(st.binary())
def test_any_location_is_read_or_refused(location: bytes) -> None:
    try:
        parse(join(parse("https://photos.test/a"), location))
    except Rejected as rejected:
        assert rejected.code == "bad-url"


# -- everywhere the same ----------------------------------------------------------------------


def passes(url: str) -> bool:
    """Whether ``validate`` has no error for it."""
    return not any(each.severity is Severity.ERROR for each in url_findings(url, None))


def taken(url: str) -> bool:
    """Whether the fetcher would go for it, wherever it leads."""
    try:
        parse(url)
        Guard().parse(url)
    except Rejected as rejected:
        return rejected.code == "address-not-allowed"  # read, and refused for its port
    return True


HOSTS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9.\-_]{0,12}", fullmatch=True),
    st.sampled_from(
        ["photos.test", "-a.test", "a-.test", "a" * 63 + ".test", "a" * 64 + ".test", "127.1",
         "127.0.0.1", "0x7f.1", "2130706433", "1.2.3.4.", "[::1]", "[::1", "[::1%25lo]", "[zz]",
         "bücher.test", "①②⑦.0.0.1", "xn--a.test", "\u2044.test", "a..test", ".", "a" * 63 + "." +
         ".".join(["b" * 60] * 4) + ".test", "\ud800.test"]
    ),
)  # fmt: skip
URLS = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", "http:", "ftp://", "", "//"]),
    st.sampled_from(["", "", "", "user@", "user:word@", "@"]),
    HOSTS,
    st.sampled_from(["", "", ":", ":80", ":8080", ":0", ":00", ":65536", ":99", ":x", ":80:80"]),
    st.sampled_from(["", "/", "/a.jpg", "/a b.jpg", "/%zz.jpg", "/a\\b", "?x", "#y", "/ä.jpg",
                     "/\ud800.jpg", "/a\tb.jpg", "/a;b=c,d.jpg", "/" + "a" * 8_200 + ".jpg"]),
)  # fmt: skip


@given(URLS | st.text() | st.text().map("http://{}".format))
def test_what_validate_passes_is_taken_and_the_reverse(url: str) -> None:
    assert passes(url) == taken(url)
    if taken(url):
        assert is_http_url(url)
        assert host_of(url)


LABEL = st.text("ab0-", min_size=1, max_size=5) | st.sampled_from(["a" * 63, "b" * 64, "", "xn--a"])
PLAIN_URLS = st.builds(
    "{}{}.{}{}/{}.jpg".format,
    st.sampled_from(["http://", "https://"]),
    st.lists(LABEL, min_size=1, max_size=5).map(".".join),
    st.sampled_from(["test", "t", "c0m", "a" * 64]),
    st.sampled_from(["", "", ":80", ":0", ":00", ":8080", ":9999", ":65536"]),
    st.text("a%20/#?.-_", max_size=12),
)


@given(URLS | PLAIN_URLS)
def test_the_quick_look_of_validate_passes_nothing_else(url: str) -> None:
    if PLAIN.fullmatch(url) and len(url) <= 8_192:
        assert taken(url)
        assert passes(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://2130706433/a.jpg", "its host is a number"),
        ("http://127.1/a.jpg", "its host is a number"),
        ("http://photos..test/a.jpg", "its host is not a valid name"),
        ("http://photos..test/a.jpg", "its host is not a valid name"),
        ("http://photos.test:00/a.jpg", "its port is not between"),
        ("http://[::1/a.jpg", "its host or port is not valid"),
    ],
)
def test_validate_says_why_a_url_is_not_taken(url: str, why: str) -> None:
    (finding,) = url_findings(url, None)
    assert finding.code == "not-a-url"
    assert why in finding.message
    assert not taken(url)


@pytest.mark.parametrize(
    ("text", "form", "relative"),
    [
        ("http://photos.test", True, False),
        ("HTTPS://photos.test:443?x", True, False),
        ("http://user:word@photos.test/", True, False),
        ("http://127.1/", True, False),
        ("http:///a.jpg", False, False),
        ("http://photos.test:0/", False, False),
        ("http://photos.test/a b.jpg", False, False),
        ("http://\ud800.test/", False, False),
        ("http://photos.test/" + "a" * 8_192, False, False),
        ("photos/a b.jpg", False, True),
        ("photos/12:30.jpg", False, True),
        ("12:30.jpg", False, False),
        ("/photos/a.jpg", False, False),
        ("photos\\a.jpg", False, False),
        ("", False, False),
    ],
)
def test_the_form_of_a_url_and_of_a_path(text: str, form: bool, relative: bool) -> None:
    assert is_http_url(text) == form
    assert is_relative(text) == relative


# -- servers and screens ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "host"),
    [
        ("https://Server.Test", "https://server.test", "server.test"),
        ("HTTPS://server.test:443/", "https://server.test", "server.test"),
        ("http://server.test:443//", "http://server.test:443", "server.test:443"),
        ("https://edit.test/proxy/api/", "https://edit.test/proxy/api", "edit.test"),
        ("http://[::1]:9095", "http://[::1]:9095", "[::1]:9095"),
        ("https://Bücher.test/Ä", "https://bücher.test/Ä", "bücher.test"),
    ],
)
def test_a_server_has_one_address(text: str, url: str, host: str) -> None:
    assert server_url(text) == url
    assert host_of(text) == host
    assert origin_of(text) == f"{url.partition(':')[0]}://{host}"


@given(
    st.sampled_from(["http://", "https://", "HTTP://", "http:/", "https:", ""]),
    st.text("ab.:/?#@[]\\ 80é\ud800", max_size=12) | st.sampled_from(["http://a.b/", "a" * 9_000]),
)
def test_the_host_of_a_url_is_the_one_that_taking_it_apart_tells(start: str, rest: str) -> None:
    parts = _parts(start + rest)
    assert host_of(start + rest) == (parts.place if parts else "")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("server.test", "must be an http or https URL"),
        ("https://user:word@server.test", "user name or password"),
        ("https://server.test/?", "a ? or # part"),
        ("https://server.test/#x", "a ? or # part"),
        ("https://server.test/api/2025-03/import", "without the /api/<version> part"),
    ],
)
def test_what_is_no_address_of_a_server_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        server_url(text)
    assert fault in str(caught.value)
    assert "word" not in str(caught.value).replace("password", "")


SIGNING = (
    "X-Amz-Signature", "X-Amz-Credential", "x-amz-security-token", "X-Goog-Signature", "sig", "se",
    "sp", "sv", "sr", "Signature", "Expires", "Policy", "Key-Pair-Id", "GoogleAccessId",
    "AWSAccessKeyId", "OSSAccessKeyId", "q-signature", "token", "access_token", "id_token", "key",
    "apikey", "api_key", "auth", "authorization", "hdnea", "hdnts", "__gda__", "hmac", "jwt",
    "password", "client_secret", "sid", "X%2DAmz%2DSignature", "tokenV2", "Access-Key-Id",
    "txSecret", "txTime", "service_ticket", "sig%20",
)  # fmt: skip
KEPT = ("w", "format", "id", "author", "design", "keyword", "v", "page", "versionId", "name", "fit")


@pytest.mark.parametrize("name", SIGNING)
@pytest.mark.parametrize("before", ["?", "?w=200&", "?a=1;", "#", "?a=1&amp;"])
def test_what_signs_a_url_is_not_shown(name: str, before: str) -> None:
    url = f"https://a.test/b{before}{name}"
    shown = without_secrets(f"it said “{url}=s3/cr+e%2Ft==&h=1” 'x'")
    assert shown == f"it said “{url}=…&h=1” 'x'"


@pytest.mark.parametrize("name", KEPT)
def test_the_rest_of_a_url_is_shown(name: str) -> None:
    url = f"https://a.test:8443/b/@me/c?{name}=value&s=80#part"
    assert without_secrets(url) == url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:word@a.test:8443/b", "https://…@a.test:8443/b"),
        ("https://token@a.test/b?a=x@y", "https://…@a.test/b?a=x@y"),
        ("socks5://u:w@[::1]:1, then ftp://u:w@b", "socks5://…@[::1]:1, then ftp://…@b"),
        ("http://u:w#o?r/d@a.test/", "http://…@a.test/"),
        ("//u:p@ss@a.test/x", "//…@a.test/x"),
        ("http://a.test:80/@u and b@c.test", "http://a.test:80/@u and b@c.test"),
        ("https://a.test/?s=0123456789abcdef0123456789abcdef", "https://a.test/?s=…"),
        (
            "https://a.test/?w=1&u=https%3A%2F%2Fa.test%2F%3Fsig%3Dx",
            "https://a.test/?w=1&u=https://a.test/?sig=…",
        ),
        (
            "https://a.test/?u=https%253A%252F%252Fu%253Ap%2540a.test",
            "https://a.test/?u=https://…@a.test",
        ),
        (
            "https://a.test/?u=https%3A%2F%2Fb.test&w=1",
            "https://a.test/?u=https%3A%2F%2Fb.test&w=1",
        ),
        (
            "https://a.test/?u=https://b.test/?sig=x&w=1",
            "https://a.test/?u=https://b.test/?sig=…&w=1",
        ),
        ("https://a.test/?sig=a;b?c&w=1", "https://a.test/?sig=…&w=1"),
        (
            "to http://a.test/?sig=x: 'http://b.test/?key=x' (or sig=x)",
            "to http://a.test/?sig=…: 'http://b.test/?key=…' (or sig=x)",
        ),
        ("photo=1 (a & b)", "photo=1 (a & b)"),
        ("“https://a.test/?sig=ab Cd3fGh4j/ k3LmN0pq==”: why", "“https://a.test/?sig=…”: why"),
        ("https://a.test/?sig=ab Cd3fGh4j&w=2, x", "https://a.test/?sig=…&w=2, x"),
        ("https://a.test/?sig=ab answered 404 twice", "https://a.test/?sig=… answered 404 twice"),
    ],
)
def test_what_lets_in_is_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown


SPELLED = (
    "https:/usr:%s@a.test/", "https:usr:%s@a.test/", "https:\\\\usr:%s@a.test/",
    "///usr:%s@a.test/", "usr:%s@a.test/x", "https://usr%%3A%s%%40a.test/", "https://us\nr:%s@a.test/",
    'https://usr:a"b %s@a.test/', "https:\\/\\/usr:%s@a.test\\/x",
    "//a.test/u/https%%3A%%2F%%2Fu%%3A%s%%40b",
    "//a.test/u/https%%253A%%252F%%252Fb%%253Fsig%%253D%s", '{"u":"//a.test/?w=1\\u0026sig=%s"}',
    "//a.test/?sig\\u003d%s", "//a.test/?w=1\\x26sig=%s", "//a.test/?%%2573ig=%s",
    "//a.test/?sig[]=%s",
    "//a.test/?code=%s", "//a.test/?tempauth=%s", "//a.test/?PHPSESSID=%s", "//a.test/?oh=%s",
    "//a.test/?ex=1&is=2&hm=%s", "//a.test/?ik-s=%s", "//a.test/?SAMLResponse=%s", "//a.test/?h=%s",
    "//a.test/hdnts=exp=1~acl=/*~hmac=%s/a.jpg", "//a.test/bcdn_token=%s/a.jpg",
    "https://hooks.slack.com/services/T0/B0/%s", "https://discord.com/api/webhooks/1234/%s",
    "https://a.webhook.office.com/webhookb2/1@2/IncomingWebhook/%s/3",
    "https://hooks.zapier.com/hooks/catch/1/%s/", "https://hook.eu1.make.com/%s",
    "https://api.telegram.org/bot123:%s/sendMessage", "https://maker.ifttt.com/trigger/a/with/key/%s",
    "https://chat.a.test/hooks/%s", "https://webhook.site/%s",
    "https://res.cloudinary.com/a/image/upload/s--%s--/a.jpg", "https://hc-ping.com/%s/start",
    "https://up.test/api/v1/heartbeat/%s", "https://kuma.test/api/push/%s?status=up",
    "https://objectstorage.eu.oraclecloud.com/p/%s-_0/n/a/b/b/o/a.jpg",
    "https://a.test/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.%s/a.jpg",
)  # fmt: skip


@pytest.mark.parametrize("spelled", SPELLED)
def test_what_lets_in_is_not_shown_however_it_is_spelled(spelled: str) -> None:
    text = spelled % "S3CR3TS3CR3TS3CR3T"
    assert "S3CR3T" not in without_secrets(text)
    assert without_secrets(without_secrets(text)) == without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://a.test/hooks/ldimport", "https://hooks.test/done", "https://a.test/a@2x.jpg",
        "https://a.test/?u=https%3A%2F%2Fb.test%2F%3Fw%3D1", "mailto:a@b.test", r"C:\a\b%20c",
        "https://a.test/a%20b/%C3%A4.jpg?w=1", "https://a.test/key/",
        "https://a.test/push/2003/a-morning-at-the-lake.jpg", "10:30 a@b.test",
        "https://a.test/?id=0123456789abcdef0123", "https://a.test/?country=DE&hash",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_shown(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "unit",
    ["//a:x", "//a:", "//", "@", "?a=", "?sig=%3F", "&a=%3F", "?", "%25", "\\", "\\u002", "a:b",
     "/hooks/", "//hooks.a.", "/ping/", "?sig=a aaaaaaa1", " aaaaaaa1", "/p/a",
     "eyJaa.", "https:", "/s--a", "/key/"],
)  # fmt: skip
def test_secrets_are_looked_for_in_linear_time(unit: str) -> None:
    def seconds(count: int) -> float:
        began = process_time()
        without_secrets(unit * count + "=@")
        return max(process_time() - began, 0.002)

    small, large = (min(seconds(count) for _ in range(2)) for count in (2_000, 16_000))
    assert large < 25 * small


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_this_machine_is_known_by_name_and_number(host: str) -> None:
    assert is_loopback(f"http://{host}:1/")
    assert not is_loopback(f"http://{host.strip('[]')}.test/")


@pytest.mark.parametrize(
    ("sign", "named"),
    [(" ", "a blank"), ("\\", "a backslash"), ("\t", "a tab"), ("\x01", "a control character")],
)
def test_what_an_address_cannot_hold_is_named(sign: str, named: str) -> None:
    (found,) = url_findings(f"http://a.example/my{sign}photo.jpg", None)
    assert found.message.endswith(f": it holds {named}")
