"""Fingerprints, batches, and how they are kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldimport import wire
from ldimport.engine.import_image import fingerprint as request_fingerprint
from ldimport.migration.account import RetryOptions
from ldimport.migration.batch import Envelope, Origin, Outgoing, Parcel, cut, fingerprint, unsigned
from ldimport.migration.store.packing import pack, pack_one, unpack, unpack_one
from ldimport.model import Image, Integrity, JobOptions, canonical_json
from ldimport.targets.base import BatchLimits
from ldimport.wire import image_body

IMAGE = Image("a", "https://a.b/c.jpg", "A", {"caption": "x", "year": 1}, "image")


def content(image: Image) -> bytes:
    return Outgoing.of(image).content


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
    assert content(edited) != content(IMAGE)


def test_the_order_of_metadata_does_not_matter() -> None:
    turned = replace(IMAGE, metadata={"year": 1, "caption": "x"})
    assert content(turned) == content(IMAGE)


def test_a_touched_file_counts_as_edited() -> None:
    digest = content(IMAGE)
    assert fingerprint(digest, None) == digest
    assert fingerprint(digest, (10, 1)) != fingerprint(digest, (10, 2))


@pytest.mark.parametrize(
    ("image", "digests"),
    [
        (
            Image("a", "https://a.b/c.jpg?v=1&X-Amz-Signature=ab", "A",
                  {"caption": "x", "year": 1}, "image"),
            ("dcf00ffa7210a356d445ec4d4a783fcdacf6662808e3c18789934d5e8b706d02",
             "a2616bdacdf4fc6fccdce65bc84991322c9fe5aee77b9dd9c4fc06e4c2870787",
             "c1a5198df4f0c182794226b884bae2ebdbaef330de49bdbf9303ff5ea162776a"),
        ),
        (
            Image("ö\u2028", 'bilder/ä "1".jpg', "Bild ä",
                  {"z": [1, None, True, 1.5], "a": {"b": "\U0001f600"}}, None),
            ("58960df182916f444f2ee5ac6edeba75dc72f094cdab56db3764ea3f4e855fbc",
             "e670c4bf83559494564c63835f2535d7ff043ad08c6b07c56fbf36cbbc5acfe8",
             "58960df182916f444f2ee5ac6edeba75dc72f094cdab56db3764ea3f4e855fbc"),
        ),
        (
            Image("s", "https://a.b/c.jpg?sig=1", "lone \ud800", {}, None),
            ("3b187365591e369875cbc507c994705b9bcd734a357a7ce852ab8fa831fdcf1f",
             "022398067c806bc6b8a4f7f4a1debd9e8f9728bb710763f9f5d2310bd3320e8c",
             "9ec2d286c052bec186df10b46bd1092a13a9c6189367690919255f9cce2d6137"),
        ),
    ],
)  # fmt: skip
def test_digests_stay_what_state_files_and_catalogues_hold(
    image: Image, digests: tuple[str, str, str]
) -> None:
    """The first two stand in state files, the last in catalogues: another value would make every
    row of every archive look edited."""
    outgoing = Outgoing.of(image, stamp=(10, 1))
    found = (outgoing.content.hex(), outgoing.fingerprint.hex(), request_fingerprint(image))
    assert found == digests


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


text = st.text(max_size=30) | st.text(st.characters(), max_size=5)
values = st.recursive(
    text | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
    | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
images = st.builds(
    Image,
    id=text,
    url=text.filter(lambda url: "?" not in url),
    file_name=text,
    metadata=st.dictionaries(text, values, max_size=3),
    media_type=st.none() | text,
)
outgoing = st.builds(
    Outgoing.of,
    images,
    st.integers(1),
    st.integers(1),
    st.dictionaries(text, text, max_size=3),
    st.none() | st.tuples(st.integers(0), st.integers(0)),
)


@given(images)
def test_an_entry_is_canonical_json_however_it_is_put_together(image: Image) -> None:
    entry = {"id": image.id, "url": image.url, "fileName": image.file_name,
             "metadata": image.metadata, "mediaType": image.media_type}  # fmt: skip
    if image.media_type is None:
        del entry["mediaType"]
    assert image_body(image) == canonical_json(entry)


@given(st.lists(outgoing, max_size=5))
def test_a_batch_is_kept_as_it_was(images: list[Outgoing]) -> None:
    envelope = Envelope("archive", "https://a.b/hook", {"a": [1]})
    assert unpack(pack(envelope, tuple(images))) == (envelope, tuple(images))
    assert [unpack_one(pack_one(each)) for each in images] == images


def test_a_kept_row_keeps_the_order_of_its_columns() -> None:
    row = {"url": "u", "_note": "n", "id": "a", "caption": "c"}
    assert list(unpack_one(pack_one(Outgoing.of(IMAGE, 1, 2, row))).original) == list(row)


def test_options_are_kept_as_they_were() -> None:
    options = JobOptions(("127.0.0.1:8080",), ("/srv/photos",), Integrity.FAST, lenient=True)
    assert wire.options_from_json(wire.options_to_json(options)) == options


def test_only_what_is_given_again_replaces_recorded_options() -> None:
    recorded = JobOptions(("10.0.0.1",), ("/srv/photos",), Integrity.FAST, lenient=True)
    assert RetryOptions().over(recorded) == recorded
    assert RetryOptions(allow_hosts=()).over(recorded) == replace(recorded, allow_hosts=())
    deep = RetryOptions(integrity=Integrity.FULL).over(recorded)
    assert deep == replace(recorded, integrity=Integrity.FULL)


@given(
    st.lists(st.integers(0, 400), max_size=60),
    st.integers(1, 20),
    st.integers(300, 2_000),
)
def test_batches_fit_and_keep_the_order(sizes: list[int], most: int, most_bytes: int) -> None:
    images = [
        Outgoing.of(Image(str(n), "https://a.b/c", "x" * size, {}, "image"), n)
        for n, size in enumerate(sizes)
    ]
    envelope = Envelope("archive")
    batches = list(cut(images, envelope.size, lambda: BatchLimits(most, most_bytes)))
    assert [each for batch, _ in batches for each in batch] == images
    for batch, size in batches:
        whole = len(wire.request_body(envelope.request(batch)))
        assert whole in (size, size - 1), "the last entry has no comma"
        assert len(batch) <= most
        assert whole <= most_bytes or len(batch) == 1


def test_a_parcel_parts_into_halves_that_share_all_else() -> None:
    images = tuple(Outgoing.of(replace(IMAGE, id=str(n)), n) for n in range(1, 6))
    whole = Parcel(7, Envelope("a"), JobOptions(), Origin("m.csv", "/m.csv"), images)
    first, second = whole.halves()
    assert (first.rows, second.rows, whole.rows) == ((1, 2), (3, 5), (1, 5))
    assert replace(first, images=images) == replace(second, images=images) == whole
