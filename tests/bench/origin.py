"""An origin on the loopback address for benchmarks: photos of about 125 kB or tiny images of about
4 kB, served by nginx where it is installed, else by Python's own server (slower; the print-out says
which)."""

from __future__ import annotations

import io
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""A folder in memory, where there is one; None stands for the usual temporary folder."""
DISTINCT = 100
"""Different pictures; each served under many names, with a comment that makes its bytes unique."""


@dataclass(frozen=True)
class Origin:
    """A running origin: ``software`` serves ``images`` photos as ``/0.jpg`` …"""

    software: str
    port: int
    images: int
    bytes: int

    @property
    def average(self) -> str:
        """Size of an image, for people."""
        return f"{self.bytes / self.images / 1000:.1f} kB"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, n: int) -> str:
        return f"http://{self.host}/{n}.jpg"

    def manifest(self, path: Path) -> Path:
        """A CSV manifest of all photos."""
        rows = [f"bench-{n:06},{self.url(n)},Photo {n}" for n in range(self.images)]
        path.write_text("id,url,fileName\n" + "\n".join(rows) + "\n")
        return path


@dataclass(frozen=True)
class Kind:
    """What pictures look like: ``grid`` are the points between which colours change."""

    size: tuple[int, int]
    grid: tuple[int, int]
    usual: int
    """How many of them a benchmark fetches unless told."""


KINDS = {
    "photos": Kind((1280, 960), (24, 18), 5_000),
    "tiny": Kind((180, 135), (8, 6), 20_000),
}


def draw(seed: int, kind: Kind = KINDS["photos"]) -> bytes:
    """A photo-like JPEG: smooth areas with grain."""
    chance = random.Random(seed)
    wide, high = kind.grid
    small = Image.frombytes("RGB", kind.grid, chance.randbytes(wide * high * 3))
    large = small.resize(kind.size, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(kind.size, 28).convert("RGB")
    out = io.BytesIO()
    Image.blend(large, grain, 0.18).save(out, "JPEG", quality=70)
    return out.getvalue()


def write_photos(folder: Path, images: int, kind: Kind = KINDS["photos"]) -> int:
    """``images`` files with different bytes; returns their total size."""
    pictures = [draw(seed, kind) for seed in range(min(DISTINCT, images))]
    total = 0
    for n in range(images):
        picture = pictures[n % len(pictures)]
        text = f"photo {n}".encode()
        comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
        body = picture[:2] + comment + picture[2:]
        (folder / f"{n}.jpg").write_bytes(body)
        total += len(body)
    return total


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serve(
    folder: Path, images: int, kind: str = "photos", also: Sequence[str] = ()
) -> Iterator[Origin]:
    """Write the images below ``folder`` and serve them, by nginx at the addresses ``also``, too."""
    place = folder / "photos"
    place.mkdir(parents=True)
    total = write_photos(place, images, KINDS[kind])
    port = free_port()
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    command = _nginx(nginx, folder, place, port, also) if nginx else _python(place, port)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield Origin("nginx" if nginx else "python", port, images, total)
    finally:
        process.terminate()
        process.wait()


def _python(place: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(place)]


def _nginx(nginx: str, folder: Path, place: Path, port: int, also: Sequence[str]) -> list[str]:
    config = folder / "nginx.conf"
    listen = "".join(f"listen {address}:{port}; " for address in ("127.0.0.1", *also))
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;\n"
        "user root;\n" * (_is_root()) + "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; keepalive_requests 100000;\n"
        "  types { image/jpeg jpg; }\n"
        f"  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;\n"
        f"  fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;\n"
        f"  scgi_temp_path {folder}/t5;\n"
        f"  server {{ {listen}root {place}; }} }}\n"
    )
    return [nginx, "-c", str(config), "-p", str(folder), "-e", "/dev/null"]


def _is_root() -> bool:
    import os

    return hasattr(os, "geteuid") and os.geteuid() == 0


def _wait(port: int) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"the origin on port {port} does not answer")
