"""Request bodies: read under limits, parsed strictly.

What JSON readers disagree about is refused rather than guessed: duplicate keys, NaN, numbers out
of range, lone surrogates, nesting without end.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import NoReturn

from starlette.requests import ClientDisconnect, Request

from ldimport.faults import json_fault
from ldimport.model import Json
from ldimport.request_check import HALF_PAIR, MOST, NOT_UNICODE, shown
from ldimport.server.responses import Refusal

MAX_DEPTH = 64
TOO_LARGE = "The body is larger than {} bytes; send smaller batches"
DRAIN_BYTES = 8_000_000
"""So much beyond the limit is read and dropped, so that a client that does not look for an
answer while it sends still gets one; whoever sends more is cut off."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST = 2**53 - 1
"""Beyond it the readers of JSON disagree: JavaScript, and so Livingdocs, rounds whole numbers."""


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The body, at most ``limit`` bytes within ``seconds``. Raises Refusal 408, 413, 415."""
    _refuse_encoded(request)
    announced = request.headers.get("content-length", "0")
    if announced.isascii() and announced.isdigit() and int(announced) > limit + DRAIN_BYTES:
        raise Refusal(413, TOO_LARGE.format(limit), close=True)
    try:
        async with asyncio.timeout(seconds):
            return await _collect(request, limit)
    except TimeoutError:
        text = f"The body did not arrive within {seconds:g} seconds"
        raise Refusal(408, text, close=True) from None
    except ClientDisconnect:
        raise Refusal(400, "The body was cut off", close=True) from None


def _refuse_encoded(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refusal(415, "Send the body without Content-Encoding", close=True)
    kind, _, rest = request.headers.get("content-type", "application/json").partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", rest, re.IGNORECASE)
    if kind.strip().lower() != "application/json" or (
        charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii")
    ):
        text = "Send the body as application/json; charset=utf-8"
        raise Refusal(415, text, close=True)


async def _collect(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > limit + DRAIN_BYTES:
            raise Refusal(413, TOO_LARGE.format(limit), close=True)
    if size > limit:
        raise Refusal(413, TOO_LARGE.format(limit))
    return b"".join(parts)


# -- parsing --------------------------------------------------------------------------------


def parse(body: bytes) -> Json:
    """The JSON in a body. Raises Refusal 400 that says what is wrong with it."""
    try:
        text = body.decode("utf-8")
        value: Json = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_int,
        )
        _check_depth(value)
        if _SURROGATE.search(text) and (found := [*islice(_half_pairs(value, ""), MOST)]):
            raise Refusal(400, {path or "message": NOT_UNICODE for path in found})
        return value
    except RecursionError:
        why = "it is nested too deeply"
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    except ValueError as error:
        why = json_fault(error)
    raise Refusal(400, f"The body is not valid JSON: {why}")


def _half_pairs(value: Json, path: str) -> Iterator[str]:
    """Where texts and keys hold half of a surrogate pair, by dotted path."""
    if isinstance(value, str) and HALF_PAIR.search(value):
        yield path
    children = dict(enumerate(value)) if isinstance(value, list) else value
    for key, child in children.items() if isinstance(children, dict) else ():
        place = f"{path}.{shown(str(key))}" if path else shown(str(key))
        yield from _half_pairs(str(key), place)
        yield from _half_pairs(child, place)


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _number(text: str) -> float:
    value = float(text)
    if not -_MOST <= value <= _MOST:
        raise ValueError("a number is out of range")
    return value


def _int(text: str) -> int:
    _number(text)
    return int(text)


def _check_depth(value: Json) -> None:
    layer: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        layer = [
            child
            for each in layer
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not layer:
            return
    raise ValueError("it is nested too deeply")
