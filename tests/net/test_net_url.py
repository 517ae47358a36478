"""One parser: what is checked is what is fetched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport.errors import Rejected
from ldimport.net.url import join, parse


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
        "http://-photos.test/",
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
