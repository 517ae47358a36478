"""Whether work grows in step with its input: eight times as much, and not sixty-four times."""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAST = 0.002
"""Seconds below which a clock tells nothing."""


def cpu(work: Callable[[], object]) -> float:
    """Seconds of this process's CPU, the best of two."""
    best = 1e9
    for _ in range(2):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return max(best, _LEAST)


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Eight times the size may cost twenty-five times the CPU, which no square passes."""
    small, large = cpu(lambda: work(size)), cpu(lambda: work(8 * size))
    assert large < 25 * small, f"{small:.4f} s for {size}, {large:.4f} s for {8 * size}"
