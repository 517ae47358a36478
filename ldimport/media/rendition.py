"""In which size and format a stored image is asked for, and what that makes of it. Cheap to import:
what draws it is ``rendering``, in the limited child."""

from dataclasses import dataclass
from enum import StrEnum

from ldimport.model import ImageType

MOST_SIDE = 4_096
"""Pixels of a side that may be asked for."""


class Fitting(StrEnum):
    """How a picture gets into a box: ``contain``, the whole picture, no larger than the box and
    never scaled up; ``cover``, filling the box, cropped at its middle. With one side given, and
    with none, there is nothing to fill: both mean ``contain``."""

    CONTAIN = "contain"
    COVER = "cover"


class RenditionFormat(StrEnum):
    """The format that comes out; ``keep`` is the original's own."""

    KEEP = "keep"
    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"
    PNG = "png"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One form of an image. ``width`` and ``height`` are those of the box in pixels, 1 to 4,096,
    as the picture is looked at (turned as its EXIF says); None leaves a side open. Raises
    ValueError for others."""

    width: int | None = None
    height: int | None = None
    fit: Fitting = Fitting.CONTAIN
    format: RenditionFormat = RenditionFormat.KEEP

    def __post_init__(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            if side is not None and not 1 <= side <= MOST_SIDE:
                raise ValueError(f"{name} must be 1 to {MOST_SIDE:,} pixels, not {side:,}")

    @property
    def is_sized(self) -> bool:
        """Whether a size was asked for."""
        return self.width is not None or self.height is not None

    @property
    def is_original(self) -> bool:
        """Whether nothing was asked for: the original is what it means."""
        return not self.is_sized and self.format is RenditionFormat.KEEP

    @property
    def name(self) -> str:
        """The same text for the same form: ``320x-contain-webp``."""
        return f"{self.width or ''}x{self.height or ''}-{self.fit}-{self.format}"

    def mime_type(self, kind: ImageType) -> str:
        """The media type that an image of this type has in this form."""
        return kind.mime if self.format is RenditionFormat.KEEP else f"image/{self.format}"

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height in pixels of what comes out of a picture of this size."""
        if self._fills is not None:
            return self._fills
        scale = min(1.0, (self.width or width) / width, (self.height or height) / height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def part_of(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Which part of a picture of this size is seen: left, top, right, bottom in pixels."""
        wanted = self._fills or (width, height)
        scale = min(width / wanted[0], height / wanted[1])
        left, top = (width - wanted[0] * scale) / 2, (height - wanted[1] * scale) / 2
        return max(0.0, left), max(0.0, top), min(width, width - left), min(height, height - top)

    @property
    def _fills(self) -> tuple[int, int] | None:
        """The box that has to be filled."""
        if self.fit is Fitting.CONTAIN or self.width is None or self.height is None:
            return None
        return self.width, self.height
