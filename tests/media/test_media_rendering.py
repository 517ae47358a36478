"""Images in other sizes and formats: what the limited child draws, and what it refuses."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO

import pytest
from media_files import Breaking, chunk, gif, gif_frame, jpeg, jpeg_with, noise, png, svg
from PIL import Image, ImageCms, ImageOps

from ldimport.errors import Rejected
from ldimport.media.inspect import inspect
from ldimport.media.protocol import packed, unpacked
from ldimport.media.rendition import Fitting, Rendition, RenditionFormat
from ldimport.media.sandbox import Sandbox
from ldimport.model import Facts, ImageType, Limits

LIMITS = Limits()
RED, BLUE = (220, 30, 30), (30, 30, 220)
MIMES = {"JPEG": "image/jpeg", "WEBP": "image/webp", "AVIF": "image/avif", "PNG": "image/png",
         "GIF": "image/gif"}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as one:
        yield one


def drawn(sandbox: Sandbox, data: bytes, form: Rendition) -> Image.Image:
    found = sandbox.render(data, inspect(data, LIMITS), form)
    assert found is not None
    image = Image.open(BytesIO(found))
    image.load()
    return image


def refusal(sandbox: Sandbox, data: bytes, form: Rendition, facts: Facts | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        sandbox.render(data, facts or inspect(data, LIMITS), form)
    return caught.value


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def halves(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), BLUE)
    image.paste(RED, (0, 0, width // 2, height))
    return image.convert(mode)


def close(found: object, wanted: tuple[int, ...], most: int = 12) -> bool:
    assert isinstance(found, tuple)
    return len(found) == len(wanted) and all(
        abs(one - other) <= most for one, other in zip(found, wanted, strict=True)
    )


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "size"),
    [
        (Rendition(50), (50, 25)),
        (Rendition(height=10), (20, 10)),
        (Rendition(50, 50), (50, 25)),
        (Rendition(50, 10), (20, 10)),
        (Rendition(4096, 4096), (200, 100)),
        (Rendition(1, 1), (1, 1)),
        (Rendition(50, 50, Fitting.COVER), (50, 50)),
        (Rendition(300, 20, Fitting.COVER), (300, 20)),
        (Rendition(400, 400, Fitting.COVER), (400, 400)),
        (Rendition(50, fit=Fitting.COVER), (50, 25)),
        (Rendition(400, fit=Fitting.COVER), (200, 100)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_sizes(sandbox: Sandbox, kind: str, form: Rendition, size: tuple[int, int]) -> None:
    found = drawn(sandbox, saved(halves(200, 100), kind), form)
    assert (found.size, found.format) == (size, kind)
    assert form.size_of(200, 100) == size


@pytest.mark.parametrize("side", [0, -1, 4097, 10**9])
def test_sides_beyond_the_bounds_are_no_form(side: int) -> None:
    with pytest.raises(ValueError, match="1 to 4,096 pixels"):
        Rendition(side)
    with pytest.raises(ValueError, match="height"):
        Rendition(1, side)


def test_a_form_goes_through_the_pipe_as_it_is() -> None:
    for width in (None, 1, 4096):
        for fit in Fitting:
            for into in RenditionFormat:
                form = Rendition(width, 7, fit, into)
                assert unpacked(packed(form)) == form
                assert form.name == unpacked(packed(form)).name


def test_cover_shows_the_middle(sandbox: Sandbox) -> None:
    image = Image.new("RGB", (300, 100), "white")
    image.paste(RED, (100, 0, 200, 100))
    for kind in ("JPEG", "PNG"):
        found = drawn(sandbox, saved(image, kind), Rendition(60, 60, Fitting.COVER))
        assert all(close(found.getpixel(at), RED, 40) for at in ((3, 3), (30, 30), (56, 56)))
        tall = drawn(sandbox, saved(image, kind), Rendition(60, 60)).size
        assert tall == (60, 20)


@pytest.mark.parametrize("scale", [1, 3, 7, 8, 16, 31])
def test_a_large_jpeg_is_the_same_picture_at_any_scale(sandbox: Sandbox, scale: int) -> None:
    data = saved(halves(1_240, 620), "JPEG", quality=92)
    found = drawn(sandbox, data, Rendition(1_240 // scale))
    width, height = found.size
    assert (width, height) == (1_240 // scale, round(1_240 // scale / 2))
    assert close(found.getpixel((width // 4, height // 2)), RED)
    assert close(found.getpixel((3 * width // 4, height // 2)), BLUE)


# -- formats and colours ---------------------------------------------------------------------------


@pytest.mark.parametrize("into", ["JPEG", "WEBP", "AVIF", "PNG"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_formats(sandbox: Sandbox, kind: str, into: str) -> None:
    form = Rendition(40, format=RenditionFormat[into])
    data = saved(halves(80, 40), kind)
    found = drawn(sandbox, data, form)
    assert (found.format, found.size) == (into, (40, 20))
    assert close(found.convert("RGB").getpixel((5, 10)), RED)
    assert close(found.convert("RGB").getpixel((34, 10)), BLUE)
    assert form.mime_type(inspect(data, LIMITS).type) == MIMES[into]
    whole = drawn(sandbox, data, Rendition(format=RenditionFormat[into]))
    assert (whole.format, whole.size) == (into, (80, 40))


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_jpeg_colours(sandbox: Sandbox, mode: str) -> None:
    data = saved(halves(80, 40, mode), "JPEG", quality=95)
    for into in (RenditionFormat.KEEP, RenditionFormat.WEBP, RenditionFormat.PNG):
        found = drawn(sandbox, data, Rendition(40, format=into))
        assert found.mode in ("L", "RGB")
        wanted = halves(80, 40, mode).convert("RGB").getpixel((10, 10))
        assert isinstance(wanted, tuple) and close(found.convert("RGB").getpixel((5, 10)), wanted)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_png_colours(sandbox: Sandbox, mode: str) -> None:
    if mode == "I;16":
        image = Image.new("I;16", (80, 40), 0x8123)
        wanted = (0x81, 0x81, 0x81)
    else:
        image = halves(80, 40).convert(mode, dither=Image.Dither.NONE)
        found = image.convert("RGB").getpixel((10, 10))
        assert isinstance(found, tuple)
        wanted = found
    for form in (Rendition(40), Rendition(40, format=RenditionFormat.JPEG)):
        seen = drawn(sandbox, saved(image, "PNG"), form).convert("RGB").getpixel((5, 10))
        assert close(seen, wanted)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_alpha_is_kept_where_the_format_can_and_white_elsewhere(
    sandbox: Sandbox, kind: str
) -> None:
    image = halves(80, 40).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 40, 40))
    data = saved(image, kind)
    for into in (RenditionFormat.KEEP, *RenditionFormat):
        found = drawn(sandbox, data, Rendition(40, format=into))
        clear = found.convert("RGBA").getpixel((5, 10))
        if into is RenditionFormat.JPEG:
            assert close(clear, (255, 255, 255, 255))
        else:
            assert isinstance(clear, tuple) and clear[3] < 8
        assert close(found.convert("RGBA").getpixel((34, 10)), (*BLUE, 255))


def test_a_transparent_colour_of_a_palette_and_of_rgb(sandbox: Sandbox) -> None:
    palette = saved(halves(80, 40).quantize(4), "PNG", transparency=0)
    rgb = saved(halves(80, 40), "PNG", transparency=RED)
    for data in (palette, rgb):
        found = drawn(sandbox, data, Rendition(40)).convert("RGBA")
        assert sorted((found.getpixel((5, 10))[3], found.getpixel((34, 10))[3])) == [0, 255]  # type: ignore[index]


def test_colours_of_a_profile_are_those_of_srgb(sandbox: Sandbox) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = drawn(sandbox, saved(halves(80, 40), "PNG"), Rendition(40))
    for profile in (srgb, lab, b"no profile", b"\xff" * 500):  # of LAB, and none: left aside
        for kind in ("PNG", "JPEG"):
            data = saved(halves(80, 40), kind, icc_profile=profile)
            found = drawn(sandbox, data, Rendition(40, format=RenditionFormat.PNG))
            assert "icc_profile" not in found.info
            assert close(found.getpixel((5, 10)), RED)
    swapped = _swapped(srgb)
    found = drawn(sandbox, saved(halves(80, 40), "PNG", icc_profile=swapped), Rendition(40))
    assert not close(found.getpixel((5, 10)), RED)
    assert found.size == plain.size


def _swapped(profile: bytes) -> bytes:
    """The profile with its red and blue primaries exchanged."""
    return profile.replace(b"rXYZ", b"tmp1").replace(b"bXYZ", b"rXYZ").replace(b"tmp1", b"bXYZ")


# -- orientation, metadata, animations -------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_picture_is_upright(sandbox: Sandbox, kind: str, orientation: int) -> None:
    """As Pillow itself turns it; the sides asked for are those of the upright one."""
    image = Image.new("RGB", (160, 80), "white")
    image.paste(RED, (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(image, kind, exif=exif)
    upright = Image.open(BytesIO(data))
    wanted = ImageOps.exif_transpose(upright)
    for form in (Rendition(40, 40), Rendition(format=RenditionFormat.WEBP)):
        found = drawn(sandbox, data, form)
        assert found.size == form.size_of(*wanted.size)
        small = wanted.resize(found.size)
        for x in (1, found.width - 2):
            for y in (1, found.height - 2):
                there = small.getpixel((x, y))
                assert isinstance(there, tuple)
                assert close(found.convert("RGB").getpixel((x, y)), there, 40)
        assert found.getexif().get(0x0112, 1) == 1
    wide = drawn(sandbox, data, Rendition(60, 30, Fitting.COVER))
    assert wide.size == (60, 30)


@pytest.mark.parametrize("into", list(RenditionFormat))
def test_nothing_else_of_the_file_comes_out(sandbox: Sandbox, into: RenditionFormat) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET-PLACE"
    exif.get_ifd(0x8825)[1] = "N"
    data = saved(halves(80, 40), "JPEG", exif=exif, comment=b"SECRET-PLACE")
    for each in (data, jpeg_with(b"\xff\xed\0\x10SECRET-PLACE\0\0", data)):
        found = sandbox.render(each, inspect(each, LIMITS), Rendition(40, format=into))
        assert found is not None and b"SECRET" not in found and b"Exif" not in found
    text = png(before=chunk(b"tEXt", b"Comment\0SECRET-PLACE"))
    found = sandbox.render(text, inspect(text, LIMITS), Rendition(4, format=into))
    assert found is not None and b"SECRET" not in found


def animation(kind: str) -> bytes:
    frames = [Image.new("RGB", (40, 20), colour) for colour in (RED, BLUE, "white")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_of_an_animation_it_is_the_first_frame_and_without_a_size_itself(
    sandbox: Sandbox, kind: str
) -> None:
    data = animation(kind)
    facts = inspect(data, LIMITS)
    assert facts.frames == 3
    for into in RenditionFormat:
        found = drawn(sandbox, data, Rendition(20, format=into))
        assert getattr(found, "n_frames", 1) == 1
        assert close(found.convert("RGB").getpixel((10, 5)), RED)
        assert sandbox.render(data, facts, Rendition(format=into)) is None


# -- what is not in order --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        png(before=chunk(b"tEXt", b"a\0b")[:-1] + b"\0"),  # a wrong checksum
        jpeg_with(b"stray bytes"),
        gif(trailer=b""),
        png() + b"PK and more behind its end",
        png(before=chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(20_000_000)))),  # a bomb
    ],
)
def test_what_is_accepted_though_not_in_order_is_drawn(sandbox: Sandbox, data: bytes) -> None:
    inspect(data, LIMITS)
    found = drawn(sandbox, data, Rendition(2, format=RenditionFormat.WEBP))
    assert found.width == 2


def test_damage_is_refused_and_the_next_image_is_drawn(sandbox: Sandbox) -> None:
    drawn(sandbox, png(), Rendition(3))
    first = sandbox._child
    whole = jpeg(64, 64)
    for data, kind in (
        (whole[: len(whole) // 2], ImageType.JPG),
        (b"", ImageType.JPG),
        (png()[:50], ImageType.PNG),
        (png(packed=b"no zlib"), ImageType.PNG),
        (gif(3, 2, gif_frame(9, 9)), ImageType.GIF),
        (b"<html>", ImageType.PNG),
    ):
        refused = refusal(sandbox, data, Rendition(2), Facts(kind, 3, 2))
        assert refused.code in ("corrupt", "truncated", "not-an-image"), data[:20]
    assert drawn(sandbox, whole, Rendition(8)).size == (8, 8)
    assert sandbox._child is first, "it lives on"


def test_a_bomb_is_refused_before_it_is_decoded(sandbox: Sandbox) -> None:
    many = png(25_000, 25_000, 1, 0)
    assert len(many) < 100_000
    facts = Facts(ImageType.PNG, 25_000, 25_000)
    assert refusal(sandbox, many, Rendition(10), facts).code == "too-many-pixels"
    wide = Limits(max_pixels=2_000_000_000)
    with Sandbox(wide) as allowing:  # then its memory is limited
        assert refusal(allowing, many, Rendition(10), facts).code == "too-complex"
        assert drawn(allowing, png(), Rendition(3)).width == 3


def test_what_a_format_cannot_say_is_refused(sandbox: Sandbox) -> None:
    long = saved(Image.new("L", (17_000, 2)), "PNG")
    refused = refusal(sandbox, long, Rendition(format=RenditionFormat.WEBP))
    assert (refused.code, "16,383" in refused.reason) == ("too-many-pixels", True)
    large = saved(Image.new("L", (4_200, 4_200)), "PNG")
    refused = refusal(sandbox, large, Rendition(format=RenditionFormat.AVIF))
    assert (refused.code, "16,777,216" in refused.reason) == ("too-many-pixels", True)
    assert drawn(sandbox, long, Rendition(1_700, format=RenditionFormat.WEBP)).size == (1_700, 1)


def test_an_svg_is_never_drawn(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="an SVG is not decoded"):
        sandbox.render(svg(), Facts(ImageType.SVG, 10, 5), Rendition(5))


@pytest.mark.parametrize("end", ["os.abort()", "os.kill(os.getpid(), 9)", "raise IndexError"])
def test_an_image_that_ends_the_child_fails_alone(breaking: Breaking, end: str) -> None:
    """The child is alive for the next one; that sound images can be read was asked of it."""
    breaking(
        "pass",
        "from ldimport.media import rendering\n"
        "drawing = rendering.render\n"
        "def render(data, form, limits):\n"
        f"    if b'deadly' in data: {end}\n"
        "    return drawing(data, form, limits)\n"
        "rendering.render = render\n",
    )
    deadly = png(before=chunk(b"teXt", b"deadly"))
    with Sandbox(LIMITS) as one:
        for _ in range(2):
            assert refusal(one, deadly, Rendition(2)).code == "too-complex"
            assert drawn(one, png(), Rendition(2)).width == 2


def test_an_image_that_takes_too_long_is_refused(breaking: Breaking) -> None:
    breaking(
        "pass",
        "from ldimport.media import rendering\n"
        "def render(data, form, limits):\n"
        "    while True: pass\n"
        "rendering.render = render\n",
    )
    with Sandbox(LIMITS, seconds=1) as one:
        refused = refusal(one, png(), Rendition(2))
        assert (refused.code, "more than 1 seconds" in refused.reason) == ("too-complex", True)


def test_large_images_go_through_the_pipe(sandbox: Sandbox) -> None:
    data = saved(noise(4_500, 4_500), "PNG", compress_level=0)
    assert len(data) > 16_000_000
    with Sandbox(Limits(max_bytes=30_000_000)) as one:
        found = one.render(data, Facts(ImageType.PNG, 4_500, 4_500), Rendition(45))
    assert found is not None and Image.open(BytesIO(found)).size == (45, 45)
