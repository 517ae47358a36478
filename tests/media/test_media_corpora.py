"""Real files that nobody of this project made: each accepted or refused as its row says.

Where decoders disagree, the rule of this house is one of ``DOCUMENTED``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from svg_payload import payloads

from ldimport.errors import Rejected
from ldimport.media.inspect import inspect
from ldimport.media.sandbox import Sandbox
from ldimport.model import Facts, ImageType, Limits

LIMITS = Limits()
SECONDS = 2
"""Of CPU, which the sandbox grants to each file here; who needs more is refused."""
MEMORY = 500_000_000
KEEP = {"accept", "accept_sanitized", "accept_documented", "accept_no_render", "sanitize"}
REFUSE = {"reject", "reject_limit"}
DOCUMENTED = {
    "zero-width-frame.gif": "corrupt",  # a frame without pixels
    "video-001.progressive.truncated.jpeg": "accept",  # whole file, fewer scans
    "truncated_app14.jpg": "accept",  # damage in metadata
    "truncated_exif_dpi.jpg": "accept",
    "testorig12.jpg": "deep-jpeg-not-accepted",  # 12 bits
    "jpeg_lossless_sel1.jpg": "deep-jpeg-not-accepted",  # 16 bits
    "jpeg_lossless_sel6.jpg": "deep-jpeg-not-accepted",
    "jpeg_lossless_sel7.jpg": "deep-jpeg-not-accepted",
    "MR4.jpg": "deep-jpeg-not-accepted",
    "gradient_ls_pt.jpg": "deep-jpeg-not-accepted",
    "testimg_gray.jpg": "deep-jpeg-not-accepted",
    "truncated_end_chunk.png": "truncated",
    "zero-size.svg": "svg-size",
    "w50noview.svg": "accept",  # 50 x 150, as browsers do
    "image.svgz": "gzip-compressed-data-svgz-not-accepted",
    "svgz_ok.svgz": "gzip-compressed-data-svgz-not-accepted",
    "size_nan.svg": "svg-size",
    "viewbox_bad.svg": "svg-size",
    "no_eoi.jpg": "truncated",
    "no_iend.png": "truncated",
    "progressive_20000_scans.jpg": "too-complex",
    "iccp_bomb_100MB.png": "accept",  # profiles stay packed
    "idat_overlong_200MB.png": "corrupt",
    "jpg_zip_tail.jpg": "accept",  # tails are noted
    "png_plus_zip_tail.png": "accept",
    "a_js_leading_ctrl.svg": "corrupt",  # not XML
    "svg_named.png": "accept",  # the bytes decide
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS, seconds=SECONDS) as one:
        yield one


def rows(corpora: Path, *folders: str) -> list[dict[str, Any]]:
    lines = (corpora / "manifest.jsonl").read_text().splitlines()
    found = [row for row in map(json.loads, lines) if row["path"].startswith(folders)]
    assert found
    return found


class Answer:
    """What both levels of integrity say to one file."""

    def __init__(self, sandbox: Sandbox, data: bytes) -> None:
        self.fast = self.full = "accept"
        self.facts: Facts | None = None
        self.stored = data
        try:
            self.facts = inspect(data, LIMITS)
        except Rejected as rejected:
            self.fast = self.full = rejected.code
            assert rejected.reason
            return
        try:
            if self.facts.type is ImageType.SVG:
                self.stored, self.facts = sandbox.sanitise(data)
            else:
                sandbox.decode(data, self.facts)
        except Rejected as rejected:
            self.full = rejected.code
        sandbox.metadata(data, self.facts)

    @property
    def is_svg(self) -> bool:
        """Whether something was accepted as an SVG."""
        return bool(self.full == "accept" and self.facts and self.facts.type is ImageType.SVG)


def wrong(row: Mapping[str, Any], answer: Answer) -> str:
    """What is wrong with an answer; empty if it is as the row says."""
    name = row["path"].rpartition("__")[2].rpartition("/")[2]
    expected = row["expect"]
    if answer.is_svg and (found := payloads(answer.stored)):
        return f"live: {found[:3]}"
    if expected in KEEP:
        return _size_wrong(row, answer)
    if expected in REFUSE:
        return "accepted" if answer.full == "accept" else ""
    if name in DOCUMENTED and answer.full != DOCUMENTED[name]:
        return f"{answer.full} instead of {DOCUMENTED[name]}"
    return ""


def _size_wrong(row: Mapping[str, Any], answer: Answer) -> str:
    if answer.full != "accept" or answer.facts is None:
        return f"refused: {answer.fast}, {answer.full}"
    facts = answer.facts
    if row["type"] != facts.type:
        return f"type {facts.type}"
    if "true_width" in row:
        true = (max(1, int(row["true_width"] + 0.5)), max(1, int(row["true_height"] + 0.5)))
        if (facts.width, facts.height) != true:
            return f"{facts.width} x {facts.height} instead of {true}"
    orientation = row.get("exif_orientation") or 1
    return "" if facts.orientation == orientation else f"orientation {facts.orientation}"


def check(corpora: Path, sandbox: Sandbox, *folders: str) -> None:
    """Every file of the folders; all wrong ones in one message."""
    complaints = []
    for row in rows(corpora, *folders):
        data = (corpora / row["path"]).read_bytes()
        if complaint := wrong(row, Answer(sandbox, data)):
            complaints.append(f"{row['path']}: {complaint}")
    if (peak := _peak(sandbox)) > MEMORY:
        complaints.append(f"child: {peak:,} bytes")
    assert not complaints, "\n".join([f"{len(complaints)} wrong", *complaints])


def _peak(sandbox: Sandbox) -> int:
    """Highest resident size of the child so far, 0 where the system does not tell."""
    child = sandbox._child
    status = Path(f"/proc/{child._process.pid}/status") if child else Path("/dev/null")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines.get("VmHWM", "0").split()[0]) * 1_024


@pytest.mark.parametrize("kind", ["png", "jpg", "gif", "svg"])
def test_valid_images_are_accepted_with_their_exact_size(
    corpora: Path, sandbox: Sandbox, kind: str
) -> None:
    check(corpora, sandbox, f"valid/{kind}")


def test_broken_metadata_blocks_no_image(corpora: Path, sandbox: Sandbox) -> None:
    check(corpora, sandbox, "valid_odd")


def test_where_decoders_disagree_our_rule_holds(corpora: Path, sandbox: Sandbox) -> None:
    check(corpora, sandbox, "ambiguous")


@pytest.mark.parametrize(
    "folder", ["malformed", "wrong_type", "oversize", "generated", "svg", "fuzz"]
)
def test_hostile_images_are_refused_or_made_harmless(
    corpora: Path, sandbox: Sandbox, folder: str
) -> None:
    check(corpora, sandbox, f"hostile/{folder}")
