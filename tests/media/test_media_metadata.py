"""Metadata inside images: which source counts, in what form, and that damage costs nothing."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_files import (
    chunk,
    gif,
    gif_frame,
    jpeg,
    jpeg_with,
    photoshop,
    png,
    segment,
    svg,
    tiff,
    xmp,
    xmp_segment,
)

from ldimport.media.fields import CREATED, DAY
from ldimport.media.inspect import inspect
from ldimport.media.metadata import extract, iso, read_iim
from ldimport.model import ImageType, Json, Limits

LIMITS = Limits()
ALT = (
    "<dc:{0}><rdf:Alt><rdf:li xml:lang='de'>nein</rdf:li>"
    "<rdf:li xml:lang='x-default'>{1}</rdf:li></rdf:Alt></dc:{0}>"
)
BAG = "<{0}><rdf:Bag>{1}</rdf:Bag></{0}>"


def found(*segments: bytes) -> dict[str, Json]:
    return of(jpeg_with(b"".join(segments)))


def of(data: bytes) -> dict[str, Json]:
    return extract(data, inspect(data, LIMITS).type)


def exif(entries: dict[int, bytes | int], order: str = "<") -> bytes:
    return segment(0xE1, b"Exif\0\0" + tiff(entries, order))


def test_xmp_counts_before_iim_and_iim_before_exif() -> None:
    three = (
        exif({0x010E: b"from EXIF\0", 0x8298: b"EXIF (c)\0", 0x013B: b"EXIF artist\0"}),
        photoshop((120, b"from IIM"), (80, b"IIM by-line")),
        xmp_segment(ALT.format("description", "from XMP")),
    )
    for order in (three, three[::-1]):
        assert found(*order) == {
            "Description": "from XMP", "Creator": "IIM by-line", "Copyright Notice": "EXIF (c)",
        }  # fmt: skip


def test_empty_values_leave_room_for_the_next_source() -> None:
    blank = xmp_segment("<dc:title> </dc:title><dc:subject><rdf:Bag/></dc:subject>")
    assert found(blank, photoshop((5, b"Title"), (25, b"a"), (25, b"b"))) == {
        "Title": "Title", "Keywords": ["a", "b"]}  # fmt: skip


def test_xmp_in_its_many_forms() -> None:
    inside = (
        "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"
        + BAG.format("dc:subject", "<rdf:li>x, y</rdf:li><rdf:li>z</rdf:li>")
        + "<core:CreatorContactInfo rdf:parseType='Resource'>"
        "<core:CiEmailWork>a@b</core:CiEmailWork></core:CreatorContactInfo><photoshop:City>Zürich</photoshop:City>"
        "<xmp:Rating>4</xmp:Rating><ext:DigitalSourceType rdf:resource='http://x/y'/>"
        + BAG.format("ext:LocationShown", "<rdf:li><rdf:Description ext:City='Bern'/></rdf:li>")
    )
    assert found(xmp_segment(inside)) == {
        "City (legacy)": "Zürich", "Creator": ["Ada", "Bob"], "Keywords": ["x, y", "z"],
        "Creator’s Contact Info": {"CiEmailWork": "a@b"}, "Image Rating": 4,
        "Digital Source Type": "http://x/y", "Location Shown in the Image": [{"City": "Bern"}],
    }  # fmt: skip


def test_properties_written_as_attributes() -> None:
    packet = xmp("").replace(b'rdf:about=""', b'rdf:about="" photoshop:Headline="H &amp; M"')
    data = jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    assert of(data) == {"Headline": "H & M"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-be", "utf-16-le", "utf-16"])
def test_packets_in_utf_16_are_read(encoding: str) -> None:
    packet = xmp(ALT.format("title", "Zürich")).decode().encode(encoding)
    assert found(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)) == {"Title": "Zürich"}


@pytest.mark.parametrize("written", [["sunset, sea"], ["sunset; sea"], ["sunset", "sea", "sea"]])
def test_keywords_in_one_text_are_taken_apart(written: list[str]) -> None:
    words = photoshop(*((25, word.encode()) for word in written))
    assert found(words) == {"Keywords": ["sunset", "sea"]}


def test_an_item_of_a_bag_is_one_keyword() -> None:
    bag = BAG.format("dc:subject", "<rdf:li>Washington, D.C.</rdf:li>")
    assert found(xmp_segment(bag)) == {"Keywords": ["Washington, D.C."]}
    text = xmp_segment("<dc:subject>sunset, sea</dc:subject>")
    assert found(text) == {"Keywords": ["sunset", "sea"]}


def test_iim_texts_in_utf_8_and_windows_1252() -> None:
    assert found(photoshop((90, "Zürich".encode()), (101, "Österreich".encode("cp1252")))) == {
        "City (legacy)": "Zürich", "Country (legacy)": "Österreich"}  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Lüthi, Zürich und Bernü".encode()[:-1], "Lüthi, Zürich und Bern"),
        ("Lüthi €".encode()[:-1], "Lüthi"),  # two bytes of three
        (b"Caf\xe9", "Café"),  # nothing but one byte speaks for UTF-8
    ],
)
def test_a_text_cut_inside_a_letter_loses_that_letter(raw: bytes, text: str) -> None:
    assert found(photoshop((120, raw))) == {"Description": text}
    assert found(exif({0x010E: raw + b"\0"})) == {"Description": text}


@pytest.mark.parametrize(
    ("said", "raw", "text"),
    [
        (b"\x1b%G", b"Bern\xc3", "Bern"),
        (b"\x1b-A", "Ã¼".encode("cp1252"), "Ã¼"),
        (b"\x1b.A", b"\x80 5", "€ 5"),
        (b"\x1b-B", "Łódź".encode("iso8859-2"), "Łódź"),
        (b"\x1b-L", "Москва".encode("iso8859-5"), "Москва"),
        (b"\x1b%G", "Zürich".encode("cp1252"), "Zürich"),  # it is not, whatever it says
        (b"", "Zürich".encode(), "Zürich"),
    ],
)
def test_the_coding_that_a_block_says_is_believed(said: bytes, raw: bytes, text: str) -> None:
    first = b"\x1c\x01\x5a" + len(said).to_bytes(2, "big") + said
    assert read_iim(first + b"\x1c\x02\x5a" + len(raw).to_bytes(2, "big") + raw) == {90: [text]}


def test_a_long_text_of_exif_is_not_cut_inside_a_letter() -> None:
    long = "x" + "ü" * 20_000
    (text,) = found(exif({0x010E: long.encode() + b"\0"})).values()
    assert isinstance(text, str)
    assert set(text) == {"x", "ü"}


def test_iim_codes_lose_their_prefixes() -> None:
    subject = b"IPTC:01000000:arts:x:y"
    assert found(photoshop((12, subject), (12, b"04000000"), (4, b"001:Current"))) == {
        "Subject Code": ["01000000", "04000000"], "Intellectual Genre": "Current"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2010:01:02 03:04:05", "2010-01-02T03:04:05.000Z"),
        ("2010-01-02T03:04:05.678+01:00", "2010-01-02T02:04:05.678Z"),
        ("20100102 030405-0500", "2010-01-02T08:04:05.000Z"),
        ("2010-01-02T03:04Z", "2010-01-02T03:04:00.000Z"),
        ("20100102", "2010-01-02T00:00:00.000Z"),
        ("2010-01", "2010-01-01T00:00:00.000Z"),
        ("2010", "2010-01-01T00:00:00.000Z"),
        ("0000:00:00 00:00:00", ""),
        ("2010:13:45 00:00:00", ""),
        ("    :  :     :  :  ", ""),
        ("yesterday", ""),
        ("0001-01-01T00:00:00+14:00", ""),
    ],
)
def test_dates_become_full_iso(text: str, date: str) -> None:
    assert iso(text) == date
    in_xmp = xmp_segment(f"<photoshop:DateCreated>{text}</photoshop:DateCreated>")
    assert found(in_xmp) == ({"Date Created": date} if date else {})


def test_dates_of_iim_and_exif() -> None:
    both = {"Date Created": "2010-01-02T02:04:05.000Z", "Time Created": "03:04:05+01:00"}
    assert found(photoshop((55, b"20100102"), (60, b"030405+0100"))) == both
    assert found(photoshop((55, b"20100102"), (60, b"nonsense")))["Date Created"] == (
        "2010-01-02T00:00:00.000Z")  # fmt: skip
    shot = {0x9003: b"2010:01:02 03:04:05\0", 0x9011: b"+01:00\0"}
    assert found(exif(shot)) == {"Date Created": both["Date Created"]}
    night = {0x9003: b"2010:01:02 00:30:00\0", 0x9011: b"+01:00\0"}
    assert found(exif(night)) == {CREATED: "2010-01-01T23:30:00.000Z", DAY: "2010-01-02"}
    invalid = xmp_segment("<photoshop:DateCreated>never</photoshop:DateCreated>")
    assert found(invalid, exif(shot)) == {"Date Created": both["Date Created"]}


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_texts(order: str) -> None:
    entries: dict[int, bytes | int] = {0x010E: "Höhe\0".encode(), 0x013B: b"Al\0", 0x8298: b"  \0"}
    assert found(exif(entries, order)) == {"Description": "Höhe", "Creator": "Al"}


def test_png_and_gif_have_their_own_places() -> None:
    title = xmp(ALT.format("title", "T"))
    plain = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + title)
    packed = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(title))
    for before in (plain, packed):
        assert of(png(before=before)) == {"Title": "T"}
    assert of(png(before=chunk(b"eXIf", tiff({0x013B: b"Artist\0"})))) == {"Creator": "Artist"}
    profile = photoshop((110, b"Agency"))[4 + len(b"Photoshop 3.0\0") :]
    text = f"\niptc\n      {len(profile)}\n{profile.hex()}\n".encode()
    raw = chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text))
    assert of(png(before=raw)) == {"Credit Line": "Agency"}
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    extension = b"!\xff\x0bXMP DataXMP" + title + trailer
    assert of(gif(3, 2, extension, gif_frame())) == {"Title": "T"}
    assert of(svg("<metadata/>")) == {}


@pytest.mark.parametrize("inside", [
    "<dc:title>&undefined;</dc:title>", "<dc:title>", "<g>" * 60 + "</g>" * 60,
    "<dc:title/>" * 20_001,
])  # fmt: skip
def test_packets_that_are_none_or_too_much_give_nothing(inside: str) -> None:
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(inside))
    assert of(png(before=packet)) == {}


def test_bombs_in_metadata_give_nothing() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;">]>' + xmp(
        ALT.format("title", "&b;")
    )
    assert of(png(before=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + laughs))) == {}
    bomb = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(30_000_000)))
    assert of(png(before=bomb)) == {}
    endless = tiff({0x010E: b"x" * 20_000 + b"\0"})
    assert len(str(of(png(before=chunk(b"eXIf", endless)))["Description"])) == 10_000
    loop = tiff({0x8769: 8})  # the Exif directory is IFD0 again
    assert of(png(before=chunk(b"eXIf", loop))) == {}


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_metadata_never_raises(data: st.DataObject) -> None:
    parts = exif({0x010E: b"description\0", 0x0112: 6}) + photoshop((120, b"text"), (25, b"word"))
    whole = bytearray(jpeg_with(parts + xmp_segment(ALT.format("title", "T"))))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(2, 1_400))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    values = extract(bytes(whole[:cut]), ImageType.JPG)
    json.dumps(values, allow_nan=False).encode()


@given(st.binary(max_size=400), st.sampled_from([ImageType.PNG, ImageType.GIF, ImageType.JPG]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_never_raise(data: bytes, kind: ImageType) -> None:
    start = {
        ImageType.PNG: b"\x89PNG\r\n\x1a\n",
        ImageType.GIF: b"GIF89a",
        ImageType.JPG: b"\xff\xd8",
    }
    assert extract(start[kind] + data, kind) == {} or data


SAME = {
    "Title": ("XMP-dc:Title",),
    "Description": ("XMP-dc:Description", "IPTC:Caption-Abstract", "IFD0:ImageDescription"),
    "Creator": ("XMP-dc:Creator", "IPTC:By-line", "IFD0:Artist"),
    "Copyright Notice": ("XMP-dc:Rights", "IPTC:CopyrightNotice", "IFD0:Copyright"),
    "Keywords": ("XMP-dc:Subject", "IPTC:Keywords"),
}
OTHERWISE = {
    "jpg__Ricoh DC-3Z (normal res).jpg",  # read as Windows-1252
}


def test_real_files_say_what_another_reader_says(corpora: Path) -> None:
    compared, wrong = 0, []
    for row in map(json.loads, (corpora / "manifest.jsonl").read_text().splitlines()):
        name = (
            row["path"].rpartition("__")[2] if "pillow" in row["path"] else Path(row["path"]).name
        )
        if not row.get("meta_exiftool") or not row["path"].startswith("valid") or name in OTHERWISE:
            continue
        data = (corpora / row["path"]).read_bytes()
        values = of(data)
        for field, tags in SAME.items():
            texts = [_texts(row["meta_exiftool"].get(tag)) for tag in tags]
            expected = next((words for words in texts if words), None)
            if expected is None:
                continue
            compared += 1
            got = _texts(values.get(field))
            if not (got == expected or ", ".join(got) == ", ".join(expected)
                    or "".join(got).startswith("".join(expected)[:300])):  # fmt: skip
                wrong.append(f"{row['path']}: {field} {got} instead of {expected}")
    assert compared > 50
    assert not wrong, "\n".join(wrong)


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [text for text in (str(item).strip() for item in items) if text]


def test_a_plain_image_has_no_metadata() -> None:
    assert of(jpeg()) == of(png()) == of(gif()) == {}
