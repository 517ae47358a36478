"""What the query of an image address asks for: a size, a format, or whatever suits the client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.datastructures import Headers

from ldimport.engine.records import StoredImage
from ldimport.media.rendition import MOST_SIDE, Fitting, Rendition, RenditionFormat
from ldimport.model import Json
from ldimport.server.responses import Refusal

_SIDE = re.compile(r"[1-9][0-9]{0,3}")
_FITTINGS = {**{each.value: each for each in Fitting}, "clip": Fitting.CONTAIN,
             "crop": Fitting.COVER}  # fmt: skip
"""By our names and by those of imgix, Livingdocs' usual image service."""
_AUTO = "auto"
_FORMATS = {"jpg": RenditionFormat.JPEG, "jpeg": RenditionFormat.JPEG, "png": RenditionFormat.PNG,
            "webp": RenditionFormat.WEBP, "avif": RenditionFormat.AVIF}  # fmt: skip
_BEST = {RenditionFormat.AVIF: 4_000_000, RenditionFormat.WEBP: 24_000_000}
"""What may be chosen for a client, the smallest first, and for pictures of how many pixels: beyond
that, making it takes longer than sending the original."""
_QUALITY = re.compile(r"q\s*=\s*([01](?:\.\d{0,3})?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """A form, whose format counts unless ``auto`` says that it goes by what the client takes."""

    form: Rendition
    auto: bool

    def settled(self, image: StoredImage, asked: Headers) -> Rendition:
        """The form to answer with."""
        if not self.auto:
            return self.form
        width, height = self.form.size_of(image.width, image.height)
        accepted = _accepted(", ".join(asked.getlist("accept")))
        fitting = {each: accepted.get(f"image/{each}", 0.0)
                   for each, most in _BEST.items() if width * height <= most}  # fmt: skip
        best = max(fitting, key=lambda each: fitting[each], default=RenditionFormat.KEEP)
        format_ = best if fitting.get(best) else RenditionFormat.KEEP
        return Rendition(self.form.width, self.form.height, self.form.fit, format_)


def wish(query: Mapping[str, str]) -> Wish:
    """What a query asks for; parameters may also follow the ``id`` behind a second question mark,
    as in the API's page, where they count unless the query itself says otherwise. Others than ours
    are left aside. Raises Refusal 400 by their names."""
    tail = re.split(r"[?&]", query.get("id", ""), maxsplit=1)[1:]
    behind = parse_qsl(tail[0].replace("?", "&"), keep_blank_values=True) if tail else []
    said = {**dict(behind), **query}
    ours = {name: said[name] for name in ("w", "h", "fit", "format") if name in said}
    wrong: dict[str, Json] = {}
    for name in ("w", "h"):
        if name in ours and not (_SIDE.fullmatch(ours[name]) and int(ours[name]) <= MOST_SIDE):
            wrong[name] = f"must be a whole number from 1 to {MOST_SIDE}"
    for name, known in (("fit", _FITTINGS), ("format", {_AUTO: None, **_FORMATS})):
        if name in ours and ours[name] not in known:
            wrong[name] = f"must be one of {', '.join(known)}"
    if wrong:
        raise Refusal(400, wrong)
    width, height = (int(ours[name]) if name in ours else None for name in ("w", "h"))
    fit = _FITTINGS[ours.get("fit", Fitting.CONTAIN)]
    format_ = _FORMATS.get(ours.get("format", ""), RenditionFormat.KEEP)
    imgix = "format" not in ours and "format" in said.get(_AUTO, "").split(",")
    return Wish(Rendition(width, height, fit, format_), imgix or ours.get("format") == _AUTO)


def _accepted(header: str) -> dict[str, float]:
    """The media types that an ``Accept`` names, each with its weight; wildcards stand for none of
    those that it does not name. A weight that is none counts as 0."""
    found = {}
    for part in header.split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weights = [each for each in parameters if each[:1] in ("q", "Q")]
        weight = _QUALITY.fullmatch(weights[0]) if weights else None
        found[name.lower()] = min(float(weight[1]), 1.0) if weight else float(not weights)
    return found
