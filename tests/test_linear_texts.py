"""Texts of strangers outside of images take time in proportion to their length, too."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ldimport.migration.causes import guess
from ldimport.url import is_http_url
from ldimport.wire import quota_from_json

TEXTS: dict[str, tuple[Callable[[str], object], str]] = {
    "user names": (lambda text: is_http_url(f"http://{text}:x"), "@"),
    "user names before a bracket": (lambda text: is_http_url(f"http://{text}[x"), "a@"),
    "colons": (lambda text: is_http_url(f"http://{text}/"), ":"),
    "labels": (lambda text: is_http_url(f"http://{text}/"), "a."),
    "quotas": (
        lambda text: quota_from_json([{"message": text}]),
        "more than 1 per day already uploaded 1 ",
    ),
} | {f"reasons: {word}": (guess, word) for word in ("name ", "address ", "pixels ", "not allowed ")}


def seconds(read: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    read(text)
    return time.thread_time() - began


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("size", [8_000, 64_000])
def test_eight_times_the_text_takes_no_more_than_twenty_times_as_long(name: str, size: int) -> None:
    read, piece = TEXTS[name]
    small, large = (piece * (each // len(piece)) for each in (size // 8, size))
    for _ in range(3):
        once, longer = seconds(read, small), seconds(read, large)
        if longer < max(0.1, 20 * once):
            return
    pytest.fail(f"{len(small):,} characters take {once:.3f} s, {len(large):,} {longer:.3f} s")
