"""How large an SVG is, by the rules of CSS at 96 dpi (SVG 2, section 8; CSS Values 4).

``width`` and ``height`` of the root count if they are absolute; what is missing follows from the
ratio of ``viewBox``; a percentage, ``auto`` or a unit of the viewport count as missing. Without
any of them an SVG is 300 x 150, as in every browser.
"""

from __future__ import annotations

import math
import re

from ldimport.causes import Cause
from ldimport.errors import Rejected

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
_LENGTH = re.compile(rf"\s*({_NUMBER})\s*([a-z]*|%)\s*", re.IGNORECASE)
_VIEW_BOX = re.compile(rf"\s*({_NUMBER})" + rf"(?:\s+|\s*,\s*)({_NUMBER})" * 3 + r"\s*", re.I)
_PIXELS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6,
           "pt": 96 / 72, "pc": 16.0, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0}  # fmt: skip
_RELATIVE = frozenset({"%", "vw", "vh", "vmin", "vmax", "vi", "vb"})
_DEFAULT = (300.0, 150.0)
_MAX_SIDE = 1_000_000


def size(width: str | None, height: str | None, view_box: str | None) -> tuple[int, int]:
    """Whole pixels, at least 1, of a root with these attributes. Raises Rejected ``svg-size`` for
    zero, negative or absurd values, and for text that is no length where nothing else helps."""
    box = _view_box(view_box)
    wide = _length("width", width, box)
    high = _length("height", height, box)
    if wide is None and high is None:
        if box is None and view_box and view_box.strip():
            raise Rejected(
                Cause.SVG_SIZE, f'the SVG\'s viewBox="{view_box[:40]}" is no usable size'
            )
        wide, high = box or _DEFAULT
    elif wide is None and high is not None:
        wide = high * box[0] / box[1] if box else _DEFAULT[0]
    elif high is None and wide is not None:
        high = wide * box[1] / box[0] if box else _DEFAULT[1]
    return _whole("width", wide), _whole("height", high)


def _view_box(text: str | None) -> tuple[float, float] | None:
    """Width and height of the viewBox; None where there is none that can be used."""
    found = _VIEW_BOX.fullmatch(text) if text and len(text) < 1_000 else None
    if found is None:
        return None
    wide, high = float(found[3]), float(found[4])
    usable = 0 < wide < math.inf and 0 < high < math.inf
    return (wide, high) if usable else None


def _length(name: str, text: str | None, box: object) -> float | None:
    """Pixels of one attribute, None where it leaves the length open."""
    if text is None or text.strip().lower() in ("", "auto"):
        return None
    found = _LENGTH.fullmatch(text) if len(text) < 1_000 else None
    unit = found[2].lower() if found else ""
    if found is None or (unit not in _PIXELS and unit not in _RELATIVE):
        if box is not None:
            return None
        raise Rejected(Cause.SVG_SIZE, f'the SVG\'s {name}="{text[:40]}" is not a length')
    if unit in _RELATIVE:
        return None
    return _sane(name, float(found[1]) * _PIXELS[unit], text)


def _sane(name: str, pixels: float, text: str) -> float:
    if not 0 < pixels <= _MAX_SIDE:
        raise Rejected(Cause.SVG_SIZE, f'the SVG\'s {name}="{text[:40]}" is no usable size')
    return pixels


def _whole(name: str, pixels: float | None) -> int:
    """Rounded half up, as CSS does."""
    known = _sane(name, pixels or 0.0, f"{pixels:g}")
    return max(1, math.floor(known + 0.5))
