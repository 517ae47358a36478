"""IPTC and XMP inside a JPEG, as picture desks write them."""

from __future__ import annotations

import struct
from xml.sax.saxutils import escape

_IIM = {
    "Title": 5,
    "Keywords": 25,
    "Date Created": 55,
    "Creator": 80,
    "City": 90,
    "Headline": 105,
    "Credit Line": 110,
    "Source": 115,
    "Copyright Notice": 116,
    "Description": 120,
}
"""Dataset numbers of record 2 (IPTC-IIM 4.2)."""


def iptc_segment(fields: dict[str, str]) -> bytes:
    """APP13 with an image resource 0x0404 that holds the fields as UTF-8."""
    records = b"\x1c\x01\x5a\x00\x03\x1b%G"  # 1:90, coded character set: UTF-8
    for name, number in _IIM.items():
        if name in fields:
            value = fields[name].replace("-", "") if name == "Date Created" else fields[name]
            data = value.encode()
            records += struct.pack(">BBBH", 0x1C, 2, number, len(data)) + data
    resource = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(records)) + records
    return _segment(0xED, b"Photoshop 3.0\x00" + resource + b"\x00" * (len(records) % 2))


_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"{attributes}>{elements}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
_XMP_SIMPLE = {
    "Credit Line": "Credit",
    "Headline": "Headline",
    "Source": "Source",
    "City": "City",
    "Date Created": "DateCreated",
}
_XMP_TEXTS = {"Title": "title", "Description": "description", "Copyright Notice": "rights"}


def xmp_segment(fields: dict[str, str]) -> bytes:
    """APP1 with an XMP packet: Dublin Core texts, Photoshop properties."""
    attributes = "".join(
        f'\n    photoshop:{tag}="{escape(fields[name], {chr(34): "&quot;"})}"'
        for name, tag in _XMP_SIMPLE.items()
        if name in fields
    )
    elements = "".join(
        f"\n   <dc:{tag}><rdf:Alt><rdf:li xml:lang='x-default'>{escape(fields[name])}"
        f"</rdf:li></rdf:Alt></dc:{tag}>"
        for name, tag in _XMP_TEXTS.items()
        if name in fields
    )
    if "Creator" in fields:
        creator = escape(fields["Creator"])
        elements += f"\n   <dc:creator><rdf:Seq><rdf:li>{creator}</rdf:li></rdf:Seq></dc:creator>"
    packet = _XMP.format(attributes=attributes, elements=elements)
    return _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + packet.encode())


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def embed(jpeg: bytes, fields: dict[str, str]) -> bytes:
    """The JPEG with its metadata behind the JFIF segment."""
    end = 4 + struct.unpack(">H", jpeg[4:6])[0]
    return jpeg[:end] + xmp_segment(fields) + iptc_segment(fields) + jpeg[end:]
