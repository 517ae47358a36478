"""Other programs that fetch images, each with the options that suit it best, and ourselves: what
one run of each costs in a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from origin import Origin

HERE = Path(__file__).parent
INSTALL = "tests/bench/peers.sh"
VENV = HERE.parents[1] / "build" / "peers"
"""Where ``peers.sh`` puts Python packages."""
PARALLEL = 32
"""Connections at a time of each peer; img2dataset has its 64 threads."""
PROCESSES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU, of all its processes, and of time."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Ground:
    """What a run stands on: an empty ``folder`` for what it fetches, and the lists it reads."""

    origin: Origin
    lists: Path
    folder: Path

    @property
    def urls(self) -> Path:
        return self.lists / "urls"


@dataclass(frozen=True)
class Peer:
    """``does`` is how far its work goes; ``needs`` are programs and the packages they come from."""

    name: str
    does: str
    run: Callable[[Ground], Cost]
    needs: tuple[tuple[str, str], ...] = ()

    def missing(self) -> list[str]:
        """What is not installed, each with its package."""
        return [f"{tool} ({package})" for tool, package in self.needs if not found(tool)]


def found(tool: str) -> str | None:
    """Where a program is, or a header of C."""
    if tool.endswith(".h"):
        said = subprocess.run(
            ["cc", "-E", "-include", tool, "-x", "c", os.devnull], capture_output=True, check=False
        )
        return None if said.returncode else tool
    path = os.pathsep.join((os.environ.get("PATH", ""), str(VENV / "bin"), "/usr/sbin"))
    return shutil.which(tool, path=path)


def measured(command: Sequence[str | Path], home: Path) -> tuple[Cost, str]:
    """Run a command to its end: what it cost with all its children, and its output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LDIMPORT_", "XDG_"))}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env |= {"HOME": str(home), "NO_ALBUMENTATIONS_UPDATE": "1"}
    out = home / "out"
    started = time.perf_counter()
    with out.open("wb") as file:
        process = subprocess.Popen(command, env=env, cwd=home, stdout=file, stderr=file)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    said = out.read_text(errors="replace")
    if status:
        sys.exit(f"{command[0]} ended with status {status}\n{said[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, wall), said


# -- the peers ------------------------------------------------------------------------------


def floor_(ground: Ground) -> Cost:
    program = ground.lists / "floor"
    if not program.exists():
        source = HERE / "floor.c"
        subprocess.run(["cc", "-O2", "-o", program, source, "-lcurl", "-lcrypto"], check=True)
    return arrived(ground, [program, str(PROCESSES), ground.urls])


def curl(ground: Ground) -> Cost:
    origin, config = ground.origin, ground.lists / "curl"
    if not config.exists():
        lines = (f'url = "{origin.url(n)}"\noutput = "{n}.jpg"\n' for n in range(origin.images))
        config.write_text("".join(lines))
    options = ["-q", "-s", "--parallel", "--parallel-max", str(PARALLEL), "-K", config]
    return arrived(ground, ["curl", *options, "--output-dir"])


def wget2(ground: Ground) -> Cost:
    options = ["-q", "--no-config", "--no-hsts", f"--max-threads={PARALLEL}", "-i", ground.urls]
    return arrived(ground, ["wget2", *options, "-P"])


def aria2c(ground: Ground) -> Cost:
    options = ["-q", "--no-conf", "-j", str(PARALLEL), "-x1", "-s1", "--file-allocation=none"]
    return arrived(ground, ["aria2c", *options, "-i", ground.urls, "-d"])


def rclone(ground: Ground, *more: str) -> Cost:
    names = ground.lists / "names"
    if not names.exists():
        names.write_text("".join(f"{n}.jpg\n" for n in range(ground.origin.images)))
    options = ["--config", os.devnull, "--transfers", str(PARALLEL), "--checkers", str(PARALLEL)]
    options += ["--no-traverse", "--no-check-dest", "--http-url", f"http://{ground.origin.host}"]
    lists = ["--files-from-raw", names, ":http:"]
    return arrived(ground, ["rclone", "copy", *options, *more, *lists])


def rclone_get(ground: Ground) -> Cost:
    """Without a HEAD before each GET, as we do; it writes files of unknown size another way."""
    return rclone(ground, "--http-no-head")


def img2dataset(ground: Ground) -> Cost:
    shard = -(-ground.origin.images // (2 * PROCESSES))
    options = {
        "url_list": ground.urls, "output_format": "files", "disable_all_reencoding": True,
        "thread_count": 64, "processes_count": PROCESSES, "number_sample_per_shard": shard,
        "extract_exif": False,
    }  # fmt: skip
    tool = found("img2dataset") or ""
    return arrived(
        ground, [tool, *(f"--{name}={value}" for name, value in options.items()), "--output_folder"]
    )


def arrived(ground: Ground, command: Sequence[str | Path]) -> Cost:
    """Run a command that ends in the folder to write to; all images must be there at its end."""
    place = ground.folder / "images"
    place.mkdir()
    cost, said = measured([*command, place], ground.folder)
    sizes = [each.stat().st_size for each in place.rglob("*.jpg")]
    wanted = ground.origin.images, ground.origin.bytes
    if (len(sizes), sum(sizes)) != wanted:
        got = f"{len(sizes)} images, {sum(sizes)} bytes of {wanted}"
        sys.exit(f"{command[0]}: {got}\n{said[-2000:]}")
    return cost


# -- ourselves ------------------------------------------------------------------------------


def worker(ground: Ground, python: str, integrity: str) -> Cost:
    """The workers alone."""
    command = [python, HERE / "alone.py", ground.folder / "engine", ground.urls]
    _, said = measured(
        [*command, "--integrity", integrity, "--workers", str(PROCESSES)], ground.folder
    )
    return Cost(**json.loads(said.splitlines()[-1]))


def submit(ground: Ground, python: str, integrity: str) -> Cost:
    """The whole command."""
    manifest = ground.lists / "bench.csv"
    if not manifest.exists():
        ground.origin.manifest(manifest)
    command = [python, "-m", "ldimport", "submit", manifest, "--json", "--state", "state.sqlite"]
    command += ["--engine", "engine", "--allow-host", ground.origin.host, "--integrity", integrity]
    cost, said = measured(command, ground.folder)
    totals = json.loads(said.splitlines()[-1])["totals"]
    if totals["success"] != ground.origin.images:
        sys.exit(f"not all images arrived: {totals}")
    return cost


def ours(python: str, label: str) -> list[Peer]:
    """Worker and command with either integrity, as run by this Python's ldimport."""
    does = {"fast": "all that, checked, durable, known", "full": "and decodes each picture"}
    return [
        Peer(
            f"{label} {integrity} {what}",
            does[integrity],
            lambda g, r=run, i=integrity: r(g, python, i),
        )  # type: ignore[misc]
        for integrity in does
        for what, run in (("worker", worker), ("submit", submit))
    ]


FLOOR = "floor"
PEERS = [
    Peer(
        FLOOR, "fetch, sha256, write: libcurl in C", floor_,
        (("cc", "gcc"), ("curl/curl.h", "libcurl4-openssl-dev"), ("openssl/evp.h", "libssl-dev")),
    ),
    Peer("curl", "fetch, write", curl, (("curl", "curl"),)),
    Peer("wget2", "fetch, write", wget2, (("wget2", "wget2"),)),
    Peer("aria2c", "fetch, write", aria2c, (("aria2c", "aria2"),)),
    Peer("rclone", "HEAD, fetch, write", rclone, (("rclone", "rclone"),)),
    Peer("rclone --http-no-head", "fetch, write", rclone_get, (("rclone", "rclone"),)),
    Peer(
        "img2dataset", "fetch, sha256, write, parquet row", img2dataset,
        (("img2dataset", "img2dataset of PyPI"),),
    ),
]  # fmt: skip
