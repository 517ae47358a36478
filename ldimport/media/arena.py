"""A memory file from which the child reads images where they lie. Its parent alone writes it, by
``pwrite``: whatever a child does to the file, this process does not meet it in its own memory."""

import os
from collections import deque
from contextlib import suppress

SIZE = 16_000_000
"""Bytes; an image that is larger goes through the pipe."""


class Arena:
    """Images lie in it in the order in which they were put there, and go in this order."""

    def __init__(self) -> None:
        self.descriptor: int | None = None
        self._pieces: deque[tuple[int, int]] = deque()
        with suppress(AttributeError, OSError):  # only Linux has it, and not in each container
            self.descriptor = os.memfd_create("images")
            os.ftruncate(self.descriptor, SIZE)

    def put(self, data: bytes) -> int | None:
        """Where it lies now; None if there is no room. It is put as far in front as may be: memory
        that was used before is at hand."""
        if self.descriptor is None:
            return None
        oldest, newest = (self._pieces[0], self._pieces[-1]) if self._pieces else ((0, 0), (0, 0))
        start, most = newest[1], SIZE
        if newest < oldest:
            most = oldest[0]
        elif len(data) <= oldest[0]:
            start = 0
        if start + len(data) > most:
            return None
        os.pwrite(self.descriptor, data, start)
        self._pieces.append((start, start + len(data)))
        return start

    def forget_oldest(self) -> None:
        """The image that was put there first is needed no more."""
        self._pieces.popleft()

    def close(self) -> None:
        """Give the memory back; may be called twice."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)
