"""The limited child: decodes, sanitises and reads what the parent sends, until stdin ends.

Started by ``sandbox.Sandbox`` as ``python -P -m ldimport.media.child``; the argument is JSON:
``seconds`` of CPU for each image, ``memory`` in bytes, ``limits``. What goes over the pipes is
described in ``sandbox``.
"""

import json
import signal
import sys
from typing import BinaryIO

from ldimport.errors import Rejected
from ldimport.media.sandbox import KINDS, REPLY, REQUEST, ChildOutcome, Work
from ldimport.model import Facts, ImageType, Limits
from ldimport.system import limit_child


def main() -> None:
    """Serve until the parent closes the pipe or goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    options = json.loads(sys.argv[1])
    limits = Limits(**options["limits"])
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    try:
        from ldimport.media import cleaning, decoding, metadata  # noqa: F401  before memory is limited
    except ImportError as error:
        _reply(replies, ChildOutcome.UNUSABLE, str(error).encode())
        return
    _reply(replies, ChildOutcome.DONE)
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        work, kind, size = REQUEST.unpack(header)
        data = requests.read(size)
        limit_child(options["seconds"], options["memory"])
        try:
            _reply(replies, ChildOutcome.DONE, *_done(Work(work), KINDS[kind], data, limits))
        except Rejected as rejected:
            refusal = json.dumps([rejected.code, rejected.reason])
            _reply(replies, ChildOutcome.REJECTED, refusal.encode())
        except (MemoryError, RecursionError):
            _reply(replies, ChildOutcome.EXHAUSTED)


def _done(
    work: Work, kind: ImageType, data: bytes, limits: Limits
) -> tuple[bytes, Facts] | tuple[bytes] | tuple[()]:
    """Carry out one request: the body of its answer, and facts if they are news."""
    from ldimport.media import cleaning, decoding, metadata

    if work is Work.SANITISE:
        return cleaning.clean(data, limits.max_bytes)
    if work is Work.METADATA:
        return (json.dumps(metadata.extract(data, kind)).encode(),)
    decoding.decode(kind, data, limits)
    return ()


def _reply(
    replies: BinaryIO, outcome: ChildOutcome, body: bytes = b"", facts: Facts | None = None
) -> None:
    width, height = (facts.width, facts.height) if facts else (0, 0)
    replies.write(REPLY.pack(outcome, width, height, len(body)))
    replies.write(body)
    replies.flush()


if __name__ == "__main__":
    main()
