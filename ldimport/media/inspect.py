"""What an image is, said by its bytes alone: type, exact size, frames, and whether it is whole.

Only structure is walked, nothing is decoded; ``sandbox`` does that. Cheap to import.
"""

from __future__ import annotations

from collections.abc import Callable

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import gif, jpeg, png, svg
from ldimport.media.signatures import looks_like_markup, refusal
from ldimport.model import Facts, ImageType, Limits


def inspect(data: bytes, limits: Limits) -> Facts:
    """The facts of an image whose structure is sound and within ``limits``. Raises Rejected:
    ``not-an-image``, ``unsupported-type``, ``truncated``, ``corrupt``, ``too-many-bytes``,
    ``too-many-pixels``, ``too-many-frames``, ``svg-unsafe``, ``svg-size``, ``too-complex``."""
    if len(data) > limits.max_bytes:
        raise Rejected(
            Cause.TOO_MANY_BYTES, f"{len(data):,} bytes, the limit is {limits.max_bytes:,}"
        )
    facts = _walker(data)(data, limits)
    _check_pixels(facts.width, facts.height, limits)
    return facts


def _walker(data: bytes) -> Callable[[bytes, Limits], Facts]:
    if data.startswith(jpeg.SIGNATURE):
        return _jpeg
    if data.startswith(png.SIGNATURE):
        return _png
    if data.startswith(gif.SIGNATURES):
        return _gif
    if looks_like_markup(data):
        return _svg
    raise refusal(data)


def _jpeg(data: bytes, limits: Limits) -> Facts:
    found = jpeg.walk(data)
    notes = found.notes + _tail(data, found.end)
    return Facts(ImageType.JPG, found.width, found.height, 1, found.orientation, notes)


def _png(data: bytes, limits: Limits) -> Facts:
    found = png.walk(data)
    _check_frames(found.frames, limits)
    notes = _tail(data, found.end)
    return Facts(ImageType.PNG, found.width, found.height, found.frames, found.orientation, notes)


def _gif(data: bytes, limits: Limits) -> Facts:
    found = gif.walk(data, limits.max_frames)
    for frame in found.frames:
        _check_pixels(frame.width, frame.height, limits)
    notes = found.notes + _tail(data, found.end)
    return Facts(ImageType.GIF, found.width, found.height, len(found.frames), 1, notes)


def _svg(data: bytes, limits: Limits) -> Facts:
    return svg.measure(data)


def _tail(data: bytes, end: int) -> tuple[str, ...]:
    extra = len(data) - end
    return (f"{extra:,} bytes after the end of the image",) if extra else ()


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise Rejected(
            Cause.TOO_MANY_PIXELS,
            f"{width:,} x {height:,} is {width * height:,} pixels,"
            f" the limit is {limits.max_pixels:,}",
        )


def _check_frames(frames: int, limits: Limits) -> None:
    if frames > limits.max_frames:
        raise Rejected(
            Cause.TOO_MANY_FRAMES, f"{frames:,} frames, the limit is {limits.max_frames:,}"
        )
