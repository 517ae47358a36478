"""Over HTTP, too, a property that the file may fill is missed only when the file lacks it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image as Picture
from served import Origin, image, picture, served

from ldimport.model import ExifPrecedence, JobOptions, Json

CONFIG: Json = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text", "config": {"required": True}},
                {"handle": "source", "type": "li-text", "config": {"required": True}},
            ],
            "exifExtraction": {
                "mappings": [
                    {"field": "Title", "metadataPropertyName": "title"},
                    {"field": "Source", "metadataPropertyName": "source"},
                ]
            },
        }
    ]
}
"""Livingdocs' own example."""
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:Source="Agency"/>
</rdf:RDF></x:xmpmeta>"""


OTHER: Json = {
    "mediaTypes": [
        {
            "handle": "image",
            "type": "mediaImage",
            "metadata": [
                {"handle": "title", "type": "li-text"},
                {"handle": "source", "type": "li-string-list"},
                {"handle": "stock", "type": "li-integer"},
            ],
            "exifExtraction": {
                "mappings": [
                    {"field": "Source", "metadataPropertyName": to}
                    for to in ("title", "source", "stock")
                ]
            },
        }
    ]
}


def with_source() -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (9, 9), "teal").save(file, "JPEG", xmp=XMP)
    return file.getvalue()


def test_required_is_judged_after_the_file_was_read(tmp_path: Path, origin: Origin) -> None:
    whole, bare = origin.put("a.jpg", with_source()), origin.put("b.jpg", picture())
    images = (
        image("filled", whole),
        image("sent", bare, metadata={"source": "Mine"}),
        image("lacking", bare),
        image("empty", bare, metadata={"source": ""}),
    )
    with served(tmp_path / "engine", allow=(origin.host,), config=CONFIG) as api:
        results = api.ended(api.start(*images))["images"]
        entries = api.get("/api/v1/mediaLibrary", externalId="filled", systemName="archive").json()
    assert [each["status"] for each in results] == ["success", "success", "failed", "failed"]
    for failed in results[2:]:
        assert failed["cause"] == "invalid-metadata"
        assert failed["reason"] == ("Invalid metadata: metadata.source is empty; its file has none")
    assert "'source': 'Agency'" in str(entries)
    assert "'title': 'Picture filled'" in str(entries)


@pytest.mark.parametrize(("precedence", "title"), [("request", "Picture 1"), ("file", "Agency")])
def test_values_are_converted_or_noted_and_whose_counts_is_a_setting(
    tmp_path: Path, origin: Origin, precedence: str, title: str
) -> None:
    url = origin.put("a.jpg", with_source())
    options = JobOptions((origin.host,), exif_precedence=ExifPrecedence(precedence))
    with served(tmp_path / "engine", config=OTHER, job=options) as api:
        (result,) = api.ended(api.start(image("1", url)))["images"]
        assert api.engine is not None
        entry = api.engine.find("archive", "1")
    assert (result["status"], result["title"]) == ("success", "Picture 1")
    assert result["cause"] == "metadata-left-out"
    assert result["reason"].endswith("was left out: Source → stock")
    assert entry is not None and entry.metadata == {"title": title, "source": ["Agency"]}
