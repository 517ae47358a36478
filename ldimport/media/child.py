"""The limited child: decodes, sanitises, reads and renders what the parent sends, until stdin ends.

Started by ``sandbox.Sandbox`` as ``python -P -m ldimport.media.child``; the argument is JSON:
``seconds`` of CPU for each image, ``memory`` in bytes, ``limits``, the descriptor of a memory file
if one is ``shared``. What goes over the pipes is described in ``protocol``.
"""

import json
import mmap
import os
import signal
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from ldimport import system
from ldimport.errors import Rejected
from ldimport.media import jpeg
from ldimport.media.protocol import (
    FORM,
    IN_PIPE,
    KINDS,
    REPLY,
    REQUEST,
    ChildOutcome,
    Work,
    unpacked,
)
from ldimport.media.rendition import Rendition
from ldimport.model import Facts, ImageType, Limits


def main() -> None:
    """Serve until the parent closes the pipe or goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    options = json.loads(sys.argv[1])
    limits = Limits(**options["limits"])
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    try:
        from ldimport.media import decoding  # noqa: F401  large, and before memory is limited
    except ModuleNotFoundError as error:
        _reply(replies, ChildOutcome.UNUSABLE, str(error).encode())
        return
    if sys.platform != "win32":
        system.fence_child()
    shared = _mapped(*options["shared"])
    _reply(replies, ChildOutcome.DONE)
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        work, kind, size, place = REQUEST.unpack(header)
        form = unpacked(requests.read(FORM.size)) if work == Work.RENDER else None
        try:
            data: jpeg.Buffer = shared[place : place + size]
            if place == IN_PIPE:
                data = requests.read(size)
            if work == Work.PROVE:
                data = _sound(KINDS[kind])
            if sys.platform != "win32":  # which has no such limits; the parent's patience holds
                system.limit_child(options["seconds"], options["memory"])
            if work == Work.PROVE:
                _take_memory(options["memory"])
                work = Work.SANITISE if KINDS[kind] is ImageType.SVG else Work.DECODE
            _reply(replies, ChildOutcome.DONE, *_done(Work(work), KINDS[kind], data, limits, form))
        except Rejected as rejected:
            refusal = json.dumps([rejected.code, rejected.reason])
            _reply(replies, ChildOutcome.REJECTED, refusal.encode())
        except (MemoryError, RecursionError):
            _reply(replies, ChildOutcome.EXHAUSTED)
        except ModuleNotFoundError as error:
            _reply(replies, ChildOutcome.UNUSABLE, str(error).encode())


def _mapped(descriptor: int | None = None) -> memoryview:
    """The memory file, to be read only."""
    if descriptor is None:
        return memoryview(b"")
    return memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size, prot=mmap.PROT_READ))


def _done(
    work: Work, kind: ImageType, data: jpeg.Buffer, limits: Limits, form: Rendition | None
) -> tuple[bytes, Facts] | tuple[bytes] | tuple[()]:
    """Carry out one request: the body of its answer, and facts if they are news. What most images
    do not need is not loaded before one does."""
    from ldimport.media import decoding

    if work is Work.SANITISE:
        from ldimport.media import cleaning
        from ldimport.media.inspect import check_pixels

        safe, facts = cleaning.clean(bytes(data), limits.max_bytes)
        check_pixels(facts.width, facts.height, limits)
        return safe, facts
    if form is not None:
        from ldimport.media import rendering

        return (rendering.render(bytes(data), form, limits),)
    if Work.DECODE in work:
        decoding.decode(kind, data, limits)
    if Work.METADATA in work:
        from ldimport.media import metadata

        return (json.dumps(metadata.extract(bytes(data), kind)).encode(),)
    return ()


def _sound(kind: ImageType) -> bytes:
    """The smallest image of this kind, surely sound."""
    from PIL import Image

    if kind is ImageType.SVG:
        return b"<svg/>"
    stream = BytesIO()
    Image.new("L", (1, 1)).save(stream, "JPEG" if kind is ImageType.JPG else kind)
    return stream.getvalue()


def _take_memory(memory: int) -> None:
    """Use half of what an image may still take, for a moment; where that cannot be had the system
    kills us, or MemoryError is raised."""
    with suppress(OSError):  # only on Linux
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _ = b"x" * ((memory - pages * mmap.PAGESIZE) // 2)


def _reply(
    replies: BinaryIO, outcome: ChildOutcome, body: bytes = b"", facts: Facts | None = None
) -> None:
    width, height = (facts.width, facts.height) if facts else (0, 0)
    replies.write(REPLY.pack(outcome, width, height, len(body)))
    replies.write(body)
    replies.flush()


if __name__ == "__main__":
    main()
