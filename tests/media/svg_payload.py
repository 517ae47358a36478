"""Looks for anything live in an SVG, written independently of the code it checks."""

from __future__ import annotations

import re
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
DEAD = {"script", "foreignobject", "handler", "listener", "iframe", "embed", "object", "audio",
        "video", "html", "body", "link", "meta"}  # fmt: skip
PIXELS = re.compile(r"data:image/(png|jpe?g|gif|webp)[;,]", re.I)
ELSEWHERE = re.compile(r"url\(\s*['\"]?\s*(?!['\"]?\s*(#|data:image/(png|jpe?g|gif|webp)))", re.I)


def payloads(data: bytes) -> list[str]:
    """Descriptions of what is live or points elsewhere; empty for a harmless SVG."""
    found = []
    if re.search(rb"<!DOCTYPE|<!ENTITY|<\?(?!xml )", data):
        found.append("doctype or processing instruction")
    for element in ElementTree.fromstring(data).iter():
        local = element.tag.removeprefix(SVG)
        if not element.tag.startswith(SVG) or local.lower() in DEAD:
            found.append(f"element {element.tag}")
        for name, value in element.attrib.items():
            found += [f"{local} {name}={value[:80]!r}" for _ in _bad_attribute(name, value)]
        if local == "style" and _bad_css(element.text or ""):
            found.append(f"style {(element.text or '')[:80]!r}")
    return found


def _bad_attribute(name: str, value: str) -> list[str]:
    squeezed = re.sub(r"[\x00-\x20]", "", value).lower()
    local = name.rpartition("}")[2].lower()
    bad = []
    if local.startswith("on"):
        bad.append("handler")
    if "javascript:" in squeezed or "vbscript:" in squeezed or squeezed.startswith("data:text"):
        bad.append("script")
    if local in ("href", "src") and not (squeezed.startswith("#") or PIXELS.match(squeezed)):
        bad.append("link")
    if local == "attributename" and (squeezed.startswith("on") or "href" in squeezed):
        bad.append("animation of a link")
    if _bad_css(value):
        bad.append("css")
    return bad


def _bad_css(text: str) -> bool:
    plain = re.sub(r"\\([0-9a-fA-F]{1,6})\s?", lambda m: chr(int(m[1], 16) % 0x110000), text)
    plain = re.sub(r"/\*.*?\*/", "", plain, flags=re.S).lower()
    return bool(
        "@import" in plain
        or "expression(" in plain
        or "-moz-binding" in plain
        or ELSEWHERE.search(plain)
        or re.search(r"(image-set|\bsrc|\bimage)\(", plain)
    )
