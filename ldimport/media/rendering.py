"""Drawing an image in another size and format. Runs in the limited child only, as ``decoding``
does; nothing of the original but its picture comes out."""

import struct
import warnings
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import jpeg, png
from ldimport.media.inspect import inspect
from ldimport.media.rendition import MOST_SIDE, Rendition, RenditionFormat
from ldimport.model import Facts, ImageType, Limits

Image.MAX_IMAGE_PIXELS = None  # the child's memory is limited
_PILLOW = {ImageType.PNG: "PNG", ImageType.JPG: "JPEG", ImageType.GIF: "GIF"}
_MOST_SIDE = {"WEBP": 16_383, "JPEG": 65_500, "AVIF": 65_535}
"""Pixels of a side that the formats can say."""
_MOST_AVIF = MOST_SIDE**2
"""Pixels; its encoder takes 30 bytes for each."""
_WAYS: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"quality": 82, "optimize": True, "progressive": True},
    "WEBP": {"quality": 80, "method": 2},  # 4 takes three times as long for the same size
    "AVIF": {"quality": 60, "speed": 8, "max_threads": 1},  # the child may start no thread
    "PNG": {"compress_level": 3},
    "GIF": {},
}
_SHARPER = 2.0
"""A picture is first made smaller the quick way, to so many times its size, then the good way."""
_TURNS = {2: (Image.Transpose.FLIP_LEFT_RIGHT,), 3: (Image.Transpose.ROTATE_180,),
          4: (Image.Transpose.FLIP_TOP_BOTTOM,), 5: (Image.Transpose.TRANSPOSE,),
          6: (Image.Transpose.ROTATE_270,), 7: (Image.Transpose.TRANSVERSE,),
          8: (Image.Transpose.ROTATE_90,)}  # fmt: skip
"""What makes a picture of each EXIF orientation upright."""
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, struct.error)


def render(data: bytes, form: Rendition, limits: Limits) -> bytes:
    """The image in ``form``; of an animation its first frame. Empty where that cannot stand for
    it: no size was asked of an animation. Raises Rejected as ``inspect`` and ``decode`` do, and
    ``too-many-pixels`` or ``too-complex`` for what the format cannot hold."""
    facts = inspect(data, limits)
    if facts.frames > 1 and not form.is_sized:
        return b""
    kept = form.format is RenditionFormat.KEEP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = _drawn(data, facts, form)
        except _FAULTS as error:
            raise Rejected(Cause.CORRUPT, f"damaged {facts.type.upper()}: {error}") from error
        return _encoded(picture, _PILLOW[facts.type] if kept else form.format.upper())


def _drawn(data: bytes, facts: Facts, form: Rendition) -> Image.Image:
    """The picture in its size, upright, in L, RGB or RGBA, and without what else the file says."""
    across = facts.orientation > 4  # width and height change places
    shown = (facts.height, facts.width) if across else (facts.width, facts.height)
    size, part = form.size_of(*shown), form.part_of(*shown)
    if across:
        size, part = size[::-1], (part[1], part[0], part[3], part[2])
    with _opened(data, facts.type) as image:
        if facts.type is ImageType.JPG and not jpeg.walk(data).lossless:
            _draft(image, size, part)
        image.load()
        profile = image.info.get("icc_profile")
        scale = image.width / facts.width, image.height / facts.height
        picture = _plain(image)
    if size != picture.size or part != (0, 0, *picture.size):
        part = (part[0] * scale[0], part[1] * scale[1], part[2] * scale[0], part[3] * scale[1])
        picture = picture.resize(size, Image.Resampling.LANCZOS, part, _SHARPER)
    picture = _in_srgb(picture, profile)
    for turn in _TURNS.get(facts.orientation, ()):
        picture = picture.transpose(turn)
    picture.info = {}  # Pillow would write texts, profile and EXIF again
    return picture


def _opened(data: bytes, kind: ImageType) -> Image.Image:
    """Not decoded yet."""
    if kind is ImageType.JPG:
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile(BytesIO(jpeg.for_decoder(data)))
    formats = (_PILLOW[kind],)
    if kind is ImageType.PNG:
        try:
            return Image.open(BytesIO(png.for_decoder(data)), formats=formats)
        except ValueError:  # a profile that is a bomb: the picture may be sound
            data = png.for_decoder(data, profile=False)
    return Image.open(BytesIO(data), formats=formats)


def _draft(
    image: Image.Image, size: tuple[int, int], part: tuple[float, float, float, float]
) -> None:
    """Have a JPEG decoded at the smallest scale that leaves enough pixels of the part."""
    factor = min((part[2] - part[0]) / size[0], (part[3] - part[1]) / size[1]) / _SHARPER
    if factor > 1:
        image.draft(None, (int(image.width / factor), int(image.height / factor)))


def _plain(image: Image.Image) -> Image.Image:
    """In L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point([each >> 8 for each in range(65_536)], "L")
    if image.mode in ("PA", "LA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    other = {"1": "L", "P": "RGB"}.get(image.mode)
    if other is None and image.mode not in ("L", "RGB", "RGBA", "CMYK"):
        other = "RGB"
    return image if other is None else image.convert(other)


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The same colours in sRGB; a profile that cannot be used counts as none."""
    if profile:
        own = "RGBA" if picture.mode == "RGBA" else "RGB"
        try:
            found = ImageCms.ImageCmsProfile(BytesIO(profile))
            wanted = ImageCms.createProfile("sRGB")
            changed = ImageCms.profileToProfile(picture, found, wanted, outputMode=own)
        except (ImageCms.PyCMSError, *_FAULTS):
            changed = None
        if changed is not None:
            return changed
    return picture.convert("RGB") if picture.mode == "CMYK" else picture


def _encoded(picture: Image.Image, kind: str) -> bytes:
    if kind == "JPEG" and picture.mode == "RGBA":
        picture = _on_white(picture)
    if max(picture.size) > _MOST_SIDE.get(kind, max(picture.size)):
        reason = f"{kind} has at most {_MOST_SIDE[kind]:,} pixels a side; ask for a size"
        raise Rejected(Cause.TOO_MANY_PIXELS, reason)
    if kind == "AVIF" and picture.width * picture.height > _MOST_AVIF:
        reason = f"AVIF is made of at most {_MOST_AVIF:,} pixels here; ask for a size"
        raise Rejected(Cause.TOO_MANY_PIXELS, reason)
    stream = BytesIO()
    try:
        picture.save(stream, kind, **_WAYS[kind])
    except (OSError, ValueError, RuntimeError) as error:  # the encoder: the picture is sound
        reason = f"the image takes too much to be written as {kind}: {error}"
        raise Rejected(Cause.TOO_COMPLEX, reason) from error
    return stream.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground
