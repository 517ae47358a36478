"""What the engine costs for each image, beside the programs that only fetch; all in one run.

    python tests/bench/engine.py [--kind photos|tiny] [--images N] [--rounds 3]
        [--folder /dev/shm --folder /tmp] [--only ours,floor] [--before PYTHON] [--profile]

The runs take turns, so that what else the machine does meets all. CPU is user and system time of
all processes of a run, the origin's nginx not counted; images/s are those of the whole command, its
start included. ``floor`` is the least that can be done: libcurl in C (floor.c). A folder is where
the images are written to: a tmpfs and a disk tell different things. ``--before`` is the Python of
another checkout, measured beside this one. Ratios are the medians of those of each round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from origin import KINDS, MEMORY, Origin, serve
from peers import FLOOR, HERE, INSTALL, PEERS, Cost, Ground, Peer, found, ours

OURS, BEFORE = "ours", "before"
FOLDERS = [*([MEMORY] if MEMORY else []), Path(tempfile.gettempdir())]
Runs = dict[str, list[Cost]]
AIMS = [  # which of ours, CPU or rate, beside whom, at most or (rate) at least, on a disk too
    ("fast worker", "cpu", "floor", 1.6, False),
    ("fast submit", "cpu", "floor", 2.0, False),
    ("fast submit", "cpu", "aria2c", 1.5, True),
    ("fast submit", "cpu", "rclone --http-no-head", 1.0, True),
    ("fast submit", "cpu", "rclone", 1.0, True),
    ("fast submit", "rate", "img2dataset", 3.0, True),
]
"""For photos."""
TINY_US = 150
"""At most so much CPU of a worker for a tiny image."""


def chosen(only: str | None, before: str | None) -> list[Peer]:
    """Who runs. Ends with 1 when one of them is not installed."""
    known = [*PEERS, *ours(sys.executable, OURS), *(ours(before, BEFORE) if before else ())]
    words = only.split(",") if only else [""]
    peers = [
        peer
        for peer in known
        if any(peer.name.replace(BEFORE, OURS).startswith(word) for word in words)
    ]
    missing = [] if found("nginx") else ["nginx (nginx)"]
    for peer in peers:
        missing += peer.missing()
    if missing or not peers:
        what = f"not installed: {', '.join(missing)}; {INSTALL} installs all"
        sys.exit(what if missing else f"--only: one of {', '.join(peer.name for peer in known)}")
    return peers


def rounds(peers: list[Peer], origin: Origin, lists: Path, place: Path, times: int) -> Runs:
    """Run each in turn, each in a folder of its own that is gone before the next one begins."""
    runs: Runs = {peer.name: [] for peer in peers}
    for n in range(times):
        for peer in peers:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                os.sync()  # nobody pays for what the one before has left to the disk
                cost = peer.run(Ground(origin, lists, Path(folder)))
            runs[peer.name].append(cost)
            each = f"{cost.cpu / origin.images * 1e6:.0f} us, {origin.images / cost.wall:.0f}/s"
            print(f"  round {n + 1} of {times}: {peer.name} {each}", file=sys.stderr, flush=True)
    return runs


def ratio(runs: Runs, of: str, to: str, what: str) -> float:
    """CPU of one to another, or its images per second; the median of the rounds."""
    pairs = zip(runs[of], runs[to], strict=True)
    if what == "cpu":
        return median(one.cpu / other.cpu for one, other in pairs)
    return median(other.wall / one.wall for one, other in pairs)


def table(peers: list[Peer], runs: Runs, images: int) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| | does | CPU us/image | least–most | images/s | CPU to floor | rate to floor |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for peer in peers:
        used = [run.cpu / images * 1e6 for run in runs[peer.name]]
        rate = median(images / run.wall for run in runs[peer.name])
        ratios = ["", ""]
        if FLOOR in runs:
            ratios = [f"{ratio(runs, peer.name, FLOOR, what):.2f}x" for what in ("cpu", "rate")]
        yield (
            f"| {peer.name} | {peer.does} | {median(used):,.0f} | {min(used):,.0f}–{max(used):,.0f}"
            f" | {rate:,.0f} | {ratios[0]} | {ratios[1]} |"
        )


def aims(runs: Runs, images: int, kind: str, system: str) -> Iterator[str]:
    """What was aimed at, and whether it is reached."""
    for of, what, to, aim, on_disk in AIMS:
        name = f"{OURS} {of}"
        if kind == "photos" and name in runs and to in runs and (on_disk or system == "tmpfs"):
            found = ratio(runs, name, to, what)
            met = found >= aim if what == "rate" else found <= aim
            yield f"{name}: {what} {found:.2f}x of {to} ({judged(met, what == 'rate', aim, 'x')})"
    for before in (name for name in runs if name.startswith(BEFORE)):
        name = before.replace(BEFORE, OURS)
        cpu, rate = (ratio(runs, name, before, what) for what in ("cpu", "rate"))
        yield f"{name}: cpu {cpu:.2f}x, rate {rate:.2f}x of before"
    name = f"{OURS} fast worker"
    if kind == "tiny" and name in runs:
        us = median(run.cpu for run in runs[name]) / images * 1e6
        yield f"{name}: {us:.0f} us an image ({judged(us <= TINY_US, False, TINY_US, ' us')})"
    name = f"{OURS} full worker"
    if FLOOR in runs and name in runs:
        pairs = zip(runs[name], runs[FLOOR], strict=True)
        us = median(one.cpu - floor.cpu for one, floor in pairs) / images * 1e6
        yield f"{name}: floor + {us:.0f} us (aim: 1.15x of the decoder alone, see media.py)"


def judged(met: bool, least: bool, aim: float, unit: str) -> str:
    return f"aim {'>=' if least else '<='} {aim}{unit}: {'met' if met else 'MISSED'}"


def file_system(place: Path) -> str:
    """What kind of file system a folder is on, as far as the system says."""
    said = subprocess.run(
        ["stat", "-f", "-c", "%T", place], capture_output=True, text=True, check=False
    )
    return said.stdout.strip().replace("ext2/ext3", "ext4") or "unknown"


def compare(asked: argparse.Namespace, peers: list[Peer], origin: Origin, lists: Path) -> None:
    """Measure in every folder asked for, print a table for each."""
    what = f"{origin.images:,} {asked.kind} of {origin.average} from {origin.software}"
    for place in asked.folder or FOLDERS:
        runs = rounds(peers, origin, lists, place, asked.rounds)
        system = file_system(place)
        print(f"\n**{what}, {system} ({place}), {asked.rounds} rounds**\n")
        print("\n".join(table(peers, runs, origin.images)), end="\n\n")
        for line in aims(runs, origin.images, asked.kind, system):
            print(f"- {line}", flush=True)


def profile(asked: argparse.Namespace, lists: Path) -> None:
    """Where one worker's time goes."""
    for integrity in ("fast", "full"):
        for place in asked.folder or FOLDERS[:1]:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                print(f"\nworker, {integrity}, {file_system(place)}", flush=True)
                command: list[str | Path] = [
                    sys.executable,
                    HERE / "alone.py",
                    Path(folder),
                    lists / "urls",
                ]
                subprocess.run([*command, "--profile", "--integrity", integrity], check=True)


def main() -> None:
    """Read the options, serve the images, measure."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--kind", choices=KINDS, default="photos")
    options.add_argument("--images", type=int)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--folder", type=Path, action="append")
    options.add_argument(
        "--only", metavar="NAME,NAME", help="beginnings of names: 'ours fast,floor'"
    )
    options.add_argument("--before", metavar="PYTHON", help="of another checkout, to compare with")
    options.add_argument("--profile", action="store_true", help="of a worker, nothing else")
    asked = options.parse_args()
    peers = chosen(OURS if asked.profile else asked.only, asked.before)
    images = asked.images or KINDS[asked.kind].usual
    home = tempfile.mkdtemp(dir=MEMORY)
    try:
        with serve(Path(home), images, asked.kind) as origin:
            lists = Path(home)
            (lists / "urls").write_text("".join(f"{origin.url(n)}\n" for n in range(images)))
            profile(asked, lists) if asked.profile else compare(asked, peers, origin, lists)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
