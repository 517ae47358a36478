"""Draws the sample archive: pictures of four types, and its manifest as CSV, JSON and YAML.

Everything is drawn; no picture is anybody's. The same Pillow draws the same bytes each time::

    python samples/draw.py
"""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path

from drawing.archive import ARCHIVE, LIST_SEPARATOR, SYSTEM_NAME, Picture
from drawing.embedding import embed
from PIL import Image

HERE = Path(__file__).resolve().parent
FIELDS = ("id", "url", "fileName", "mediaType")


def save(picture: Picture) -> None:
    """Draw one picture and write its file."""
    path = HERE / "images" / picture.file
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = picture.draw(random.Random(picture.id))
    if isinstance(drawn, str):
        path.write_text(drawn, encoding="utf-8", newline="\n")
    elif isinstance(drawn, list):
        drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=120, loop=0)
    elif path.suffix == ".png":
        drawn.save(path, optimize=True)
    elif path.suffix == ".gif":
        drawn.quantize(64, dither=Image.Dither.NONE).save(path)
    else:
        path.write_bytes(embed(jpeg(drawn), dict(picture.embedded)))


def jpeg(image: Image.Image) -> bytes:
    """The picture as a baseline JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82)
    return file.getvalue()


def entry(picture: Picture) -> dict[str, object]:
    """The picture's entry, as the API has it."""
    return {
        "id": picture.id,
        "url": f"images/{picture.file}",
        "fileName": picture.title,
        "mediaType": picture.media_type,
        "metadata": picture.metadata,
    }


def write_csv() -> None:
    """One column for each metadata property of any media type."""
    handles = sorted({handle for picture in ARCHIVE for handle in picture.metadata})
    with (HERE / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*FIELDS, *(f"metadata.{handle}" for handle in handles)])
        for picture in ARCHIVE:
            row = entry(picture)
            cells = [picture.metadata.get(handle) for handle in handles]
            writer.writerow([*(row[name] for name in FIELDS), *map(cell, cells)])


def cell(value: object) -> str:
    """A metadata value as people write it in a table."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return LIST_SEPARATOR.join(value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def write_json() -> None:
    """The body of a request (seed), entries on a line each."""
    lines = ",\n    ".join(json.dumps(entry(each), ensure_ascii=False) for each in ARCHIVE)
    text = f'{{\n  "systemName": "{SYSTEM_NAME}",\n  "images": [\n    {lines}\n  ]\n}}\n'
    (HERE / "manifest.json").write_text(text, encoding="utf-8", newline="\n")


def write_yaml() -> None:
    """The same by hand, as people write YAML: quotes only where they are needed."""
    lines = [f"systemName: {SYSTEM_NAME}", "images:"]
    for picture in ARCHIVE:
        row = entry(picture)
        mark = "- "
        for name in FIELDS:
            lines.append(f"  {mark}{name}: {scalar(row[name])}")
            mark = "  "
        lines.append("    metadata:" if picture.metadata else "    metadata: {}")
        for handle, value in picture.metadata.items():
            lines.append(f"      {handle}: {scalar(value)}")
    (HERE / "manifest.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def scalar(value: object) -> str:
    """A value in YAML's flow style; texts that could be misread in quotes."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return f"[{', '.join(map(scalar, value))}]"
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case str() if value[0] in "#\"'&*!|>%@`[{-?" or ": " in value or " #" in value:
            return json.dumps(value, ensure_ascii=False)
        case str() if "\n" in value or value != value.strip():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


if __name__ == "__main__":
    for picture in ARCHIVE:
        save(picture)
    write_csv()
    write_json()
    write_yaml()
