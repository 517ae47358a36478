"""Fingerprints, batches and causes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport import wire
from ldimport.migration.batch import (
    Envelope,
    Outgoing,
    cut,
    pack,
    unpack,
)
from ldimport.migration.causes import cause_of
from ldimport.migration.fingerprint import content_digest, fingerprint, unsigned
from ldimport.model import Image, Integrity, JobOptions
from ldimport.targets.base import BatchLimits

IMAGE = Image("a", "https://a.b/c.jpg", "A", {"caption": "x", "year": 1}, "image")


@pytest.mark.parametrize(
    "edited",
    [
        replace(IMAGE, url="https://a.b/d.jpg"),
        replace(IMAGE, file_name="B"),
        replace(IMAGE, media_type="other"),
        replace(IMAGE, metadata={"caption": "x", "year": "1"}),
        replace(IMAGE, metadata={"caption": "x"}),
    ],
)
def test_every_edit_changes_the_fingerprint(edited: Image) -> None:
    assert content_digest(edited) != content_digest(IMAGE)


def test_the_order_of_metadata_does_not_matter() -> None:
    turned = replace(IMAGE, metadata={"year": 1, "caption": "x"})
    assert content_digest(turned) == content_digest(IMAGE)


def test_a_touched_file_counts_as_edited() -> None:
    content = content_digest(IMAGE)
    assert fingerprint(content, None) == content
    assert fingerprint(content, (10, 1)) != fingerprint(content, (10, 2))


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://a.b/c", "https://a.b/c"),
        ("https://a.b/c?w=1&X-Amz-Signature=ab&X-Amz-Date=1", "https://a.b/c?w=1"),
        ("https://a.b/c?Expires=1&Signature=x&Key-Pair-Id=k", "https://a.b/c"),
        ("https://a.b/c?sig=1&b=2#f", "https://a.b/c?b=2#f"),
        ("https://a.b/c?signal=1", "https://a.b/c?signal=1"),
    ],
)
def test_signatures_are_left_out_of_the_url(url: str, bare: str) -> None:
    assert unsigned(url) == bare


text = st.text(max_size=30)
outgoing = st.builds(
    Outgoing,
    image=st.builds(
        Image,
        id=text,
        url=text,
        file_name=text,
        metadata=st.dictionaries(text, text | st.integers() | st.none(), max_size=3),
        media_type=st.none() | text,
    ),
    row=st.integers(1),
    line=st.integers(1),
    fingerprint=st.binary(min_size=32, max_size=32),
    content=st.binary(min_size=32, max_size=32),
    original=st.dictionaries(text, text, max_size=3),
)


@given(st.lists(outgoing, max_size=5))
def test_a_batch_is_kept_as_it_was(images: list[Outgoing]) -> None:
    envelope = Envelope("archive", "https://a.b/hook", {"a": [1]})
    assert unpack(pack(envelope, images)) == (envelope, images)


def test_options_are_kept_as_they_were() -> None:
    options = JobOptions(("127.0.0.1:8080",), ("/srv/photos",), Integrity.FAST, lenient=True)
    assert wire.options_from_json(wire.options_to_json(options)) == options


@given(
    st.lists(st.integers(0, 400), max_size=60),
    st.integers(1, 20),
    st.integers(300, 2_000),
)
def test_batches_fit_and_keep_the_order(sizes: list[int], most: int, most_bytes: int) -> None:
    images = [
        Outgoing(Image(str(n), "https://a.b/c", "x" * size, {}, "image"), n, n, b"", b"", {})
        for n, size in enumerate(sizes)
    ]
    envelope = Envelope("archive")
    batches = list(cut(images, envelope.size, lambda: BatchLimits(most, most_bytes)))
    assert [each for batch, _ in batches for each in batch] == images
    for batch, _ in batches:
        size = len(wire.encode(wire.request_to_json(envelope.request(batch))))
        assert len(batch) <= most
        assert size <= most_bytes or len(batch) == 1


@pytest.mark.parametrize(
    ("reason", "cause", "retryable"),
    [
        ("origin answered 503", "origin-503", True),
        ("origin answered 404", "origin-404", False),
        ("7,000 x 5,000 is 35,000,000 pixels, the limit is 24,000,000", "too-many-pixels", False),
        ("Could not upload image", "could-not-upload-image", True),
        ("the file is cut off after 1.2 MB", "truncated", False),
        (None, "unknown", False),
    ],
)
def test_causes_of_known_reasons(reason: str | None, cause: str, retryable: bool) -> None:
    assert cause_of(reason) == (cause, retryable)


def test_numbers_and_names_do_not_split_a_cause() -> None:
    one = cause_of("strange server error 17 for 'a.jpg' at https://a.b/c")
    two = cause_of("strange server error 99 for 'zz.png' at https://d.e/f?g=1")
    assert one == two
