"""The limited child: decodes and sanitises what the parent sends, until stdin ends.

Started by ``sandbox.Sandbox`` as ``python -P -m ldimport.media.child``; the argument is JSON:
``seconds`` of CPU for each image, ``memory`` in bytes, ``limits``. What goes over the pipes is
described in ``sandbox``.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import BinaryIO

from ldimport.errors import Rejected
from ldimport.media.sandbox import KINDS, REPLY, REQUEST, Outcome
from ldimport.model import Facts, ImageType, Limits
from ldimport.system import limit_child


def main() -> None:
    """Serve until the parent closes the pipe or goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    options = json.loads(sys.argv[1])
    limits = Limits(**options["limits"])
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    try:
        from ldimport.media import cleaning, decoding  # noqa: F401  before memory is limited
    except ImportError as error:
        _reply(replies, Outcome.UNUSABLE, str(error).encode())
        return
    _reply(replies, Outcome.DONE)
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        kind, size = REQUEST.unpack(header)
        data = requests.read(size)
        limit_child(options["seconds"], options["memory"])
        _serve(replies, KINDS[kind], data, limits)


def _serve(replies: BinaryIO, kind: ImageType, data: bytes, limits: Limits) -> None:
    from ldimport.media.cleaning import clean
    from ldimport.media.decoding import decode

    try:
        if kind is ImageType.SVG:
            stored, facts = clean(data, limits.max_bytes)
            _reply(replies, Outcome.DONE, stored, facts)
        else:
            decode(kind, data, limits)
            _reply(replies, Outcome.DONE)
    except Rejected as rejected:
        _reply(replies, Outcome.REJECTED, json.dumps([rejected.code, rejected.reason]).encode())
    except (MemoryError, RecursionError):
        _reply(replies, Outcome.EXHAUSTED)


def _reply(
    replies: BinaryIO, answer: Outcome, body: bytes = b"", facts: Facts | None = None
) -> None:
    width, height = (facts.width, facts.height) if facts else (0, 0)
    replies.write(REPLY.pack(answer, width, height, len(body)))
    replies.write(body)
    replies.flush()


if __name__ == "__main__":
    main()
