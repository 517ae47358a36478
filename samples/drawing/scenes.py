"""Scenes and graphics. Each function returns one that draws with the randomness it is given."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

Size = tuple[int, int]
Colour = str
Scene = Callable[[random.Random], Image.Image]
Drawing = Callable[[random.Random], Image.Image | list[Image.Image] | str]
"""A picture, the frames of an animation, or the text of an SVG."""


def gradient(size: Size, top: Colour, bottom: Colour) -> Image.Image:
    """A sky, a lake: one colour passing into another downwards."""
    ramp = Image.linear_gradient("L").resize(size, Image.Resampling.BICUBIC)
    return ImageOps.colorize(ramp, top, bottom)


def ridge(rng: random.Random, size: Size, base: float, height: float) -> list[tuple[int, int]]:
    """The outline of hills, by midpoint displacement; ``base`` and ``height`` are shares."""
    points = [rng.uniform(-1, 1), rng.uniform(-1, 1)]
    roughness = 1.0
    while len(points) < 500:
        roughness *= 0.52
        points = [
            value
            for left, right in pairwise(points)
            for value in (left, (left + right) / 2 + rng.uniform(-roughness, roughness))
        ] + [points[-1]]
    step = size[0] / (len(points) - 1)
    line = [(round(i * step), round(size[1] * (base - height * p))) for i, p in enumerate(points)]
    return [*line, (size[0], size[1]), (0, size[1])]


def grain(rng: random.Random, image: Image.Image, strength: float = 0.08) -> Image.Image:
    """Film grain, which is also what gives a JPEG a photo's size."""
    small = (image.width // 2, image.height // 2)
    noise = Image.frombytes("L", small, rng.randbytes(small[0] * small[1]))
    noise = noise.resize(image.size, Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(1))
    return ImageChops.soft_light(
        image, Image.blend(Image.new("RGB", image.size, "#808080"), noise.convert("RGB"), strength)
    )


def mountains(
    size: Size, sky: tuple[Colour, Colour], hills: tuple[Colour, ...], sun: float
) -> Scene:
    """Ridges one behind the other, haze between them, a sun at ``sun`` (share of the width)."""

    def draw(rng: random.Random) -> Image.Image:
        image = gradient(size, *sky)
        glow = Image.new("L", size)
        x, y, r = size[0] * sun, size[1] * 0.28, size[1] * 0.06
        ImageDraw.Draw(glow).ellipse((x - r, y - r, x + r, y + r), fill=255)
        image.paste("#fff3d6", mask=glow.filter(ImageFilter.GaussianBlur(r / 4)))
        for number, colour in enumerate(hills):
            share = number / len(hills)
            outline = ridge(rng, size, 0.45 + share * 0.45, 0.16 - share * 0.08)
            ImageDraw.Draw(image).polygon(outline, fill=colour)
        return grain(rng, image)

    return draw


def panorama(size: Size, sky: tuple[Colour, Colour], hills: tuple[Colour, ...]) -> Scene:
    """Ridges in flat colours, without grain: a drawing, not a photo."""

    def draw(rng: random.Random) -> Image.Image:
        image = gradient(size, *sky).quantize(48, dither=Image.Dither.NONE).convert("RGB")
        for number, colour in enumerate(hills):
            outline = ridge(rng, size, 0.5 + 0.1 * number, 0.2 - 0.03 * number)
            ImageDraw.Draw(image).polygon(outline, fill=colour)
        return image

    return draw


def lake(size: Size, sky: tuple[Colour, Colour], hill: Colour) -> Scene:
    """A shore that mirrors itself in still water."""

    def draw(rng: random.Random) -> Image.Image:
        half = (size[0], size[1] // 2)
        upper = gradient(half, *sky)
        ImageDraw.Draw(upper).polygon(ridge(rng, half, 0.8, 0.4), fill=hill)
        water = ImageOps.flip(upper).filter(ImageFilter.GaussianBlur(4))
        water = Image.blend(water, Image.new("RGB", half, "#1d3c55"), 0.35)
        image = Image.new("RGB", size)
        image.paste(upper, (0, 0))
        image.paste(water, (0, half[1]))
        pen = ImageDraw.Draw(image)
        for _ in range(220):
            x, y = rng.randrange(size[0]), rng.randrange(half[1] + 10, size[1])
            pen.line((x, y, x + rng.randrange(20, 180), y), fill="#7d9bb0")
        return grain(rng, image)

    return draw


def city(size: Size, sky: tuple[Colour, Colour], night: bool) -> Scene:
    """Houses in three rows; at night their windows are lit."""

    def draw(rng: random.Random) -> Image.Image:
        image = gradient(size, *sky)
        pen = ImageDraw.Draw(image)
        for row, shade in enumerate((0.75, 0.5, 0.3)):
            x = -20
            while x < size[0]:
                wide = rng.randrange(size[0] // 28, size[0] // 12)
                top = round(size[1] * (0.35 + row * 0.14 + rng.uniform(-0.12, 0.12)))
                tone = round(shade * (60 if night else 190)) + rng.randrange(20)
                pen.rectangle((x, top, x + wide, size[1]), fill=(tone, tone, tone + 14))
                _windows(rng, pen, (x, top, x + wide, size[1]), night)
                x += wide + rng.randrange(0, 14)
        return grain(rng, image)

    return draw


def _windows(
    rng: random.Random, pen: ImageDraw.ImageDraw, house: tuple[int, int, int, int], night: bool
) -> None:
    for x in range(house[0] + 8, house[2] - 12, 22):
        for y in range(house[1] + 10, house[3], 30):
            lit = rng.random() < (0.35 if night else 0.1)
            colour = (
                ("#ffd98a" if lit else "#20242c") if night else ("#f4f7fa" if lit else "#5b6674")
            )
            pen.rectangle((x, y, x + 10, y + 15), fill=colour)


def crowd(size: Size, ground: tuple[Colour, Colour]) -> Scene:
    """Many small figures seen from above, with their shadows."""

    def draw(rng: random.Random) -> Image.Image:
        image = gradient(size, *ground)
        pen = ImageDraw.Draw(image)
        for _ in range(900):
            x, y = rng.randrange(size[0]), rng.randrange(size[1])
            r = 7 + y * 9 // size[1]
            pen.ellipse((x + r, y + r // 2, x + 4 * r, y + r * 2), fill="#4a4f46")
            coat = tuple(rng.randrange(40, 230) for _ in range(3))
            pen.ellipse((x - r, y - r, x + r, y + r), fill=coat)
        return grain(rng, image)

    return draw


def sepia(scene: Scene) -> Scene:
    """An old print: toned, scratched, with a border."""

    def draw(rng: random.Random) -> Image.Image:
        image = ImageOps.colorize(ImageOps.grayscale(scene(rng)), "#2b1d0e", "#f3e6c8")
        pen = ImageDraw.Draw(image)
        for _ in range(40):
            x, y = rng.randrange(image.width), rng.randrange(image.height)
            pen.line((x, y, x + rng.randrange(-9, 9), y + rng.randrange(20, 200)), fill="#efe2c4")
        return ImageOps.expand(image, 40, "#f7f0de")

    return draw


# -- graphics -------------------------------------------------------------------------------


def chart(size: Size, values: tuple[int, ...], colour: Colour) -> Scene:
    """A bar chart."""

    def draw(_rng: random.Random) -> Image.Image:
        image = Image.new("RGB", size, "#ffffff")
        pen = ImageDraw.Draw(image)
        wide = size[0] / (len(values) * 1.5 + 0.5)
        for step in range(1, 6):
            y = size[1] * (1 - step / 6)
            pen.line((0, y, size[0], y), fill="#d9dde2", width=3)
        for number, value in enumerate(values):
            x = wide * (0.5 + number * 1.5)
            pen.rectangle((x, size[1] * (1 - value / 110), x + wide, size[1]), fill=colour)
        return image

    return draw


def island(size: Size, land: Colour, sea: Colour) -> Scene:
    """An island with contour lines, partly transparent at its edge."""

    def draw(rng: random.Random) -> Image.Image:
        image = Image.new("RGBA", size, (0, 0, 0, 0))
        pen = ImageDraw.Draw(image)
        pen.rounded_rectangle((20, 20, size[0] - 20, size[1] - 20), 80, fill=sea)
        for level in range(6):
            shade = tuple(max(0, int(land[i : i + 2], 16) - level * 16) for i in (1, 3, 5))
            inset = 120 + level * min(size) // 14
            box = (inset, inset * 0.8, size[0] - inset - rng.randrange(60), size[1] - inset * 0.8)
            pen.ellipse(box, fill=(*shade, 255), outline="#ffffff", width=4)
        return image

    return draw


def blinking(size: Size, frames: int) -> Drawing:
    """A sun that rises, as an animation."""

    def draw(_rng: random.Random) -> list[Image.Image]:
        pictures = []
        for number in range(frames):
            image = Image.new("RGB", size, "#28365c")
            pen = ImageDraw.Draw(image)
            y = size[1] * (1.1 - number / frames)
            pen.ellipse((size[0] * 0.35, y - 60, size[0] * 0.35 + 120, y + 60), fill="#ffcf5a")
            pen.rectangle((0, size[1] * 0.8, *size), fill="#1d6b57")
            pictures.append(image.quantize(32))
        return pictures

    return draw


def svg(width: int, height: int, body: str) -> Drawing:
    """A vector graphic of exactly this size."""

    def draw(_rng: random.Random) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">\n{body}\n</svg>\n'
        )

    return draw
