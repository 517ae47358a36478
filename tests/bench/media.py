"""Microseconds per image: structure alone, full integrity, metadata; beside Pillow, in one run.

    python tests/bench/media.py [FILE…] [--rounds 200]

Without files it makes a photo-like JPEG of about 125 kB and a PNG and a GIF of that size. Each
column is the best of five passes; ``child`` is what the engine does, pipes included.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageFilter

from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.media.metadata import extract
from ldimport.media.sandbox import Sandbox
from ldimport.model import ImageType, Limits

LIMITS = Limits()


def made() -> dict[str, bytes]:
    photo = Image.merge("RGB", [Image.effect_noise((1024, 683), 60) for _ in range(3)])
    photo = photo.filter(ImageFilter.GaussianBlur(1.2))
    small = photo.resize((256, 170))
    files = {}
    for name, image, options in (
        ("photo.jpg", photo, {"quality": 87}),
        ("progressive.jpg", photo, {"quality": 87, "progressive": True}),
        ("picture.png", small, {}),
        (
            "picture.gif",
            small.convert("P"),
            {"save_all": True, "append_images": [small.convert("P")] * 3},
        ),
    ):
        stream = BytesIO()
        image.save(stream, {"jpg": "JPEG"}.get(name[-3:], name[-3:].upper()), **options)
        files[name] = stream.getvalue()
    return files


def best(work: Callable[[], object], rounds: int) -> float:
    """Microseconds of one call, best of five passes."""
    passes = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(max(1, rounds // 5)):
            work()
        passes.append((time.perf_counter() - began) / max(1, rounds // 5) * 1e6)
    return min(passes)


def pillow_open(data: bytes) -> None:
    with Image.open(BytesIO(data), formats=("PNG", "JPEG", "GIF")):
        pass


def pillow_load(data: bytes) -> None:
    with Image.open(BytesIO(data), formats=("PNG", "JPEG", "GIF")) as image:
        for frame in range(getattr(image, "n_frames", 1)):
            image.seek(frame)
            image.load()


def row(name: str, data: bytes, rounds: int, sandbox: Sandbox) -> str:
    facts = inspect(data, LIMITS)
    structure = best(lambda: inspect(data, LIMITS), rounds)
    metadata = best(lambda: extract(data, facts.type), rounds)
    if facts.type is ImageType.SVG:
        return f"{name:24}{len(data):>10,}{structure:>10.0f}{metadata:>10.0f}" + (
            f"{best(lambda: sandbox.sanitise(data), rounds):>20.0f}")  # fmt: skip
    columns = (
        structure,
        metadata,
        best(lambda: decode(facts.type, data, LIMITS), rounds),
        best(lambda: sandbox.decode(data, facts), rounds),
        best(lambda: pillow_open(data), rounds),
        best(lambda: pillow_load(data), rounds),
    )
    return f"{name:24}{len(data):>10,}" + "".join(f"{value:>10.0f}" for value in columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    files = {path.name: path.read_bytes() for path in options.files} or made()
    heads = ("structure", "metadata", "decode", "child", "PIL open", "PIL load")
    print(f"{'us per image':24}{'bytes':>10}" + "".join(f"{head:>10}" for head in heads))
    with Sandbox(LIMITS) as sandbox:
        for name, data in files.items():
            print(row(name, data, options.rounds, sandbox))


if __name__ == "__main__":
    main()
