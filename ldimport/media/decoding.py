"""Decoding every pixel, to find the damage that structure does not show. Runs in the limited
child only, since decoders are large and their input is hostile."""

import warnings
from contextlib import suppress
from io import BytesIO

from PIL import Image

from ldimport.causes import Cause
from ldimport.errors import Rejected
from ldimport.media import gif, jpeg, png
from ldimport.model import ImageType, Limits

Image.MAX_IMAGE_PIXELS = None  # structure has checked the size against our own limit
_SCALE = 8
"""A JPEG is decoded at an eighth: all entropy-coded data is read, few pixels are made."""


def decode(kind: ImageType, data: bytes | memoryview, limits: Limits) -> None:
    """Decode a png, jpg or gif whose structure is sound. Raises Rejected ``corrupt``
    or ``truncated``."""
    if kind is ImageType.JPG:
        if not _is_plain(data):
            data = bytes(data)
            _jpeg(data, jpeg.walk(data))
        return
    data = bytes(data)
    if kind is ImageType.PNG:
        png.check_pixels(data, png.walk(data))
    else:
        _gif(data, gif.walk(data, limits.max_frames))


def _is_plain(data: bytes | memoryview) -> bool:
    """Whether this is a JPEG of a usual kind, and sound. It is decoded by the way that reads least
    beside the picture, and which does not say what is wrong."""
    if not (found := jpeg.plain(data)):
        return False
    width, height, space = found
    size = (-(-width // _SCALE), -(-height // _SCALE))
    with suppress(ValueError):
        Image.frombytes(space, size, data, "jpeg", space, "", _SCALE, 0)
        return True
    return False


def _jpeg(data: bytes, found: jpeg.Jpeg) -> None:
    """The same for each kind there is."""
    from PIL.JpegImagePlugin import JpegImageFile  # seldom needed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with JpegImageFile(BytesIO(jpeg.for_decoder(data))) as image:  # Pillow adds EXIF up
                if not found.lossless:
                    small = (max(1, found.width // _SCALE), max(1, found.height // _SCALE))
                    image.draft(image.mode, small)
                image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise Rejected(Cause.CORRUPT, f"damaged JPEG: {error}") from error


def _gif(data: bytes, found: gif.Gif) -> None:
    """Decompress each frame into its own rectangle; frames are not laid over each other."""
    for number, frame in enumerate(found.frames, start=1):
        bits = data[frame.start]
        packed = data[frame.start + 1 : frame.end]
        try:
            Image.frombytes(
                "L", (frame.width, frame.height), packed, "gif", (bits, frame.interlaced, -1)
            )
        except (OSError, ValueError) as error:
            raise Rejected(Cause.CORRUPT, f"damaged GIF: frame {number}: {error}") from error
