"""Microseconds per image: structure alone, full integrity, metadata; beside Pillow, in one run.

    python tests/bench/media.py [FILE…] [--rounds 200]

Without files it makes a photo-like JPEG of about 125 kB and a PNG and a GIF of that size. Each
column is the best of five passes; ``child`` is what the engine does, pipes included.

    python tests/bench/media.py --decoders

CPU of JPEG decoders alone, in this one process, interleaved, over 40 photos of the origin; those
that are not installed are said to be missing. And of ours in the child (Linux), and what it costs
to hand the photos over.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

from origin import draw
from PIL import Image, ImageFilter
from PIL.JpegImagePlugin import JpegImageFile

from ldimport.media.decoding import decode
from ldimport.media.inspect import inspect
from ldimport.media.metadata import extract
from ldimport.media.protocol import Work
from ldimport.media.sandbox import Sandbox
from ldimport.model import ImageType, Limits
from ldimport.system import cpu_seconds

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


def pillow_eighth(data: bytes, mode: str) -> None:
    with JpegImageFile(BytesIO(data)) as image:
        image.draft(mode, (image.width // 8, image.height // 8))
        image.load()


def decoders() -> dict[str, Callable[[bytes], object]]:
    """JPEG decoders at an eighth of the scale, grey where they can."""
    found: dict[str, Callable[[bytes], object]] = {
        "ours (Pillow)": lambda data: decode(ImageType.JPG, data, LIMITS),
        "Pillow, colours": lambda data: pillow_eighth(data, "RGB"),
        "Pillow, grey": lambda data: pillow_eighth(data, "L"),
    }
    for module, make in (
        ("simplejpeg", lambda it: lambda data: it.decode_jpeg(
            data, "GRAY", min_width=1, min_height=1, min_factor=8)),
        ("turbojpeg", lambda it: partial(
            it.TurboJPEG().decode, pixel_format=it.TJPF_GRAY, scaling_factor=(1, 8))),
        ("pyvips", lambda it: lambda data: it.Image.jpegload_buffer(
            data, shrink=8).extract_band(0).write_to_memory()),
    ):  # fmt: skip
        try:
            found[module] = make(importlib.import_module(module))
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{module}: missing ({str(error).splitlines()[0]})")
    return found


def compare_decoders(rounds: int) -> None:
    """Print the CPU of each, and beside the fastest."""
    photos, works = [draw(seed) for seed in range(40)], decoders()
    took: dict[str, list[float]] = {name: [] for name in works}
    handed = []
    with Sandbox(LIMITS) as sandbox:
        for _ in range(max(1, rounds // 20)):
            for name, work in works.items():
                began = time.process_time()
                for data in photos:
                    work(data)
                took[name].append((time.process_time() - began) / len(photos) * 1e6)
            handed.append(hand_over(sandbox, photos))
    medians = {name: statistics.median(each) for name, each in took.items()}
    fastest = min(medians.values())
    kilobytes = sum(map(len, photos)) / len(photos) / 1000
    print(f"{'us CPU per photo of':20} {kilobytes:.0f} kB")
    for name, each in medians.items():
        print(f"{name:20}{each:>8.0f}{each / fastest:>8.2f}x")
    child, parent = (statistics.median(each) for each in zip(*handed, strict=True))
    print(f"{'ours, in the child':20}{child:>8.0f}{child / fastest:>8.2f}x")
    print(f"{'  handed over':20}{parent:>8.0f}{(child + parent) / fastest:>8.2f}x")


def hand_over(sandbox: Sandbox, photos: list[bytes]) -> tuple[float, float]:
    """CPU of the child, and of this process on its behalf, per photo."""
    facts = [inspect(data, LIMITS) for data in photos]
    sandbox.decode(photos[0], facts[0])
    pid = sandbox._child._process.pid
    ours, began = time.process_time(), cpu_seconds(pid)
    open_ = {
        sandbox.begin(data, fact, Work.DECODE) for data, fact in zip(photos, facts, strict=True)
    }
    while open_:
        open_ -= sandbox.ended(1.0).keys()
    used = (cpu_seconds(pid) - began, time.process_time() - ours)
    return used[0] / len(photos) * 1e6, used[1] / len(photos) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--decoders", action="store_true", help="JPEG decoders alone")
    options = parser.parse_args()
    if options.decoders:
        return compare_decoders(options.rounds)
    files = {path.name: path.read_bytes() for path in options.files} or made()
    heads = ("structure", "metadata", "decode", "child", "PIL open", "PIL load")
    print(f"{'us per image':24}{'bytes':>10}" + "".join(f"{head:>10}" for head in heads))
    with Sandbox(LIMITS) as sandbox:
        for name, data in files.items():
            print(row(name, data, options.rounds, sandbox))
    return None


if __name__ == "__main__":
    main()
