"""Is the picture that a target serves the one that was imported? By its digest where both can be
had and the target keeps originals, else by what the decoder says of its size."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from ldimport.closing import Closing
from ldimport.errors import Rejected
from ldimport.media.inspect import inspect, is_markup
from ldimport.media.sandbox import Sandbox
from ldimport.migration.proof import Expected
from ldimport.model import IMAGE_SERVICE, Asset, Facts, ImageType, Json, Limits
from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched
from ldimport.net.files import read_below
from ldimport.net.guard import Guard
from ldimport.targets.base import Target
from ldimport.url import is_http_url, parse

LIMITS = Limits(max_bytes=50_000_000, max_pixels=100_000_000)
"""More than is accepted: a target may have other bounds than we."""


@dataclass(frozen=True, slots=True)
class PictureLook:
    """How a picture was compared: by the digest of its bytes, or (``by_hash`` False) its decoded
    size; ``differs``: what should be there, and what is."""

    by_hash: bool
    differs: tuple[Json, Json] | None = None


class Pictures(Closing):
    """Fetches through the guard, one at a time; a target's addresses are asked at the pace
    of ``ask``. ``hosts`` are exceptions of the guard beside the target's own place. Without
    ``web_sources`` no source is fetched again over HTTP."""

    def __init__(
        self,
        target: Target,
        hosts: tuple[str, ...],
        ask: Callable[[Callable[[], bytes]], bytes],
        *,
        web_sources: bool,
        ca_file: str | None = None,
    ) -> None:
        self._target, self._ask, self._web = target, ask, web_sources
        own = () if target.local else (parse(target.identity).place,)
        self._fetcher = Fetcher(LIMITS, Guard((*hosts, *own)), concurrency=1, ca_file=ca_file)
        self._sandbox = Sandbox(LIMITS)
        self._kept: set[ImageType] = set()

    def compare(self, expected: Expected, found: Asset) -> PictureLook:
        """Raises Rejected, retryable, if the target does not serve it for now."""
        try:
            body = self._target.original(found)
            if body is None:
                place = found.original_url or expected.original_url or ""
                body = self._ask(lambda: self._fetched(place))
            facts = self._facts(body)
        except Rejected as rejected:
            if rejected.retryable:
                raise
            return PictureLook(False, (None, rejected.reason))
        source = self._source(expected) if expected.certain else None
        if source is not None and source == body:
            self._kept.add(facts.type)
            return PictureLook(True)
        if source is not None and self._keeps_originals(expected, found, body, source, facts):
            return PictureLook(True, (_digest(source), _digest(body)))
        return PictureLook(False, _size(expected, found, facts))

    def _keeps_originals(
        self, expected: Expected, found: Asset, body: bytes, source: bytes, facts: Facts
    ) -> bool:
        """Whether the digest has to be the source's: our own engine keeps what it fetched (but
        cleans SVG), and so does who has as many bytes as the source, or says that it has, or has
        kept another file of the type. Others may have stored another file of the picture."""
        if facts.type is ImageType.SVG:
            return False
        ours = IMAGE_SERVICE in (expected.image_service, found.image_service)
        return ours or facts.type in self._kept or len(source) in (len(body), found.size)

    def close(self) -> None:
        """End connections and the decoder."""
        self._fetcher.close()
        self._sandbox.close()

    def _fetched(self, url: str) -> bytes:
        (outcome,) = self._fetcher.fetch_many([FetchSource(url)])
        if isinstance(outcome, Fetched):
            return outcome.body
        assert isinstance(outcome, NotFetched), "one alone is not postponed"
        raise outcome.rejected

    def _source(self, expected: Expected) -> bytes | None:
        """The bytes that were imported, as far as they can be had again."""
        try:
            if is_http_url(expected.source_url):
                return self._fetched(expected.source_url) if self._web else None
            options = json.loads(expected.options or "{}")
            roots = options.get("allow_files") or options.get("allowFiles") or ()
            return read_below(roots, expected.source_url, LIMITS.max_bytes)
        except Rejected:  # gone, or not reachable from here: the other way to compare is left
            return None

    def _facts(self, body: bytes) -> Facts:
        """What the picture is, every pixel decoded. Raises Rejected for what is none."""
        if is_markup(body):
            return self._sandbox.sanitise(body)[1]
        facts = inspect(body, LIMITS)
        self._sandbox.decode(body, facts)
        return facts


def _size(expected: Expected, found: Asset, facts: Facts) -> tuple[Json, Json] | None:
    """Whether the sides are those that are known; they may be swapped."""
    sides = (facts.width, facts.height)
    for width, height in ((found.width, found.height), (expected.width, expected.height)):
        if width and height and sides not in ((width, height), (height, width)):
            return f"{width}×{height}", f"{facts.width}×{facts.height}"
    return None


def _digest(body: bytes) -> str:
    return f"sha256 {hashlib.sha256(body).hexdigest()}"
