"""Small pictures of a sample of images: of the local engine's own files, or fetched from where a
server keeps them. Drawn in the limited child, as everything that decodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ldimport.errors import Rejected
from ldimport.media.inspect import inspect, is_markup
from ldimport.media.rendition import Fitting, Rendition, RenditionFormat
from ldimport.media.sandbox import Sandbox
from ldimport.migration.model import ArchiveSums
from ldimport.migration.pictures import LIMITS
from ldimport.migration.report import Sampled, SampleOptions, Thumbnail
from ldimport.net.fetch import Fetched, Fetcher, FetchSource, NotFetched
from ldimport.net.guard import Guard
from ldimport.targets.base import Target
from ldimport.url import parse

SIDE = 120
"""Pixels of the box that a thumbnail fits into."""
MOST_SVG = 20_000
"""Bytes of an SVG that is shown as it is: it is never turned into pixels."""
AT_ONCE = 4
"""Pictures that are fetched at a time: the server has others to serve."""
_FORM = Rendition(SIDE, SIDE, Fitting.CONTAIN, RenditionFormat.JPEG)
_Drawn = Callable[[Sampled, bytes], Thumbnail]


def thumbnails(
    sample: Sequence[Sampled], archive: ArchiveSums, local: Target | None, options: SampleOptions
) -> tuple[Thumbnail, ...]:
    """One for each of the sample, in its order; ``local`` is the engine that has the archive.
    Raises TemporaryError and ConfigError where nothing can be drawn or fetched at all."""
    with Sandbox(LIMITS) as sandbox:

        def drawn(each: Sampled, body: bytes) -> Thumbnail:
            try:
                return _drawn(sandbox, each, body)
            except Rejected as rejected:
                return Thumbnail(each, why=rejected.reason)

        if local is not None:
            return tuple(_of_engine(local, archive.system_name, each, drawn) for each in sample)
        return _fetched(sample, archive, options, drawn)


def _drawn(sandbox: Sandbox, each: Sampled, body: bytes) -> Thumbnail:
    if is_markup(body):
        safe, _ = sandbox.sanitise(body)
        if len(safe) > MOST_SVG:
            return Thumbnail(each, why="an SVG that is too large to be shown here")
        return Thumbnail(each, safe, "image/svg+xml")
    picture = sandbox.render(body, inspect(body, LIMITS), _FORM)
    assert picture is not None, "a size was asked for"
    return Thumbnail(each, picture, "image/jpeg")


def _of_engine(local: Target, system_name: str, each: Sampled, drawn: _Drawn) -> Thumbnail:
    asset = local.find(system_name, each.external_id)
    if asset is None:
        return Thumbnail(each, why="the engine no longer has it")
    try:
        body = local.original(asset)
    except Rejected as rejected:
        return Thumbnail(each, why=rejected.reason)
    assert body is not None, "an engine has its files at hand"
    return drawn(each, body)


def _fetched(
    sample: Sequence[Sampled], archive: ArchiveSums, options: SampleOptions, drawn: _Drawn
) -> tuple[Thumbnail, ...]:
    """A target's own place may be reached wherever it is, as ``verify`` does."""
    if archive.target.startswith("embedded:"):
        why = "it is in an engine that is not at hand"
        return tuple(Thumbnail(each, why=why) for each in sample)
    found = {each.external_id: Thumbnail(each, why="its address is not known") for each in sample}
    sources = [
        FetchSource(url, tag=each)
        for each in sample
        if (url := each.url or each.original_url) is not None
    ]
    guard = Guard((*options.allow_hosts, parse(archive.target).place))
    with Fetcher(LIMITS, guard, concurrency=AT_ONCE, ca_file=options.ca_file) as fetcher:
        for outcome in fetcher.fetch_many(sources):
            each = outcome.source.tag
            assert isinstance(each, Sampled)
            if isinstance(outcome, Fetched):
                found[each.external_id] = drawn(each, outcome.body)
            else:
                slow = "the server that keeps it is too slow"
                why = outcome.rejected.reason if isinstance(outcome, NotFetched) else slow
                found[each.external_id] = Thumbnail(each, why=why)
    return tuple(found.values())
