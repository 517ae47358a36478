"""A migration that lasts for weeks, in minutes: night after night under a daily limit, with faults.

    python tests/bench/weeks.py                              20,000 images, 500 a day, 40 nights
    python tests/bench/weeks.py --images 1000 --limit 100 --batch 500

Each night the clock of `ldimport serve` and of the runs moves on by a day (libfaketime). A run is
killed (-9) half way, then cron's script of docs/unattended.md runs. Between the two stands a proxy
with a seeded choice of faults: answers that are lost after the server acted, 502, 429 and 503 with
Retry-After, resets; one night the token has expired. Some images fail for a while at their origin.
Every morning the sums are compared with what the server stored; at the end so are the requests.
Exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
TOKEN = "weeks"
DAY = 86_400
DEADLINE = 300


def library() -> str | None:
    """Where libfaketime is (`apt-get install libfaketime`); None: nowhere."""
    found = (str(each) for name in LIBRARIES for each in Path("/").glob(name[1:]))
    return next(found, None)


@dataclass(frozen=True)
class Plan:
    """What is played: nights end when all has arrived, or after ``nights`` and some more."""

    images: int = 20_000
    limit: int = 500
    batch: int = 800
    faults: float = 0.1
    kills: bool = True
    failing: int = 97
    seed: int = 11

    @property
    def nights(self) -> int:
        """Nights that it takes without any fault."""
        return -(-self.images // self.limit)


class Quiet(ThreadingHTTPServer):
    """Its clients are killed here."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """No word of it."""


def served(handler: type[BaseHTTPRequestHandler]) -> Quiet:
    """A server in a thread, on any free port; ``ended`` ends it."""
    server = Quiet(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextlib.contextmanager
def ended(server: Quiet) -> Iterator[int]:
    """Gives the port of a server, and ends it after that."""
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Photos:
    """An origin of tiny pictures; every ``failing``-th answers 503 until it was asked in two
    nights."""

    failing: int
    night: int = 0
    asked: dict[int, set[int]] = field(default_factory=dict)

    def start(self) -> Quiet:
        """The server."""
        photos = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                number = int(re.sub(r"\D", "", self.path))
                nights = photos.asked.setdefault(number, set())
                nights.add(photos.night)
                ill = number % photos.failing == 0 and len(nights) < 2
                body = b"" if ill else picture(number)
                self.send_response(503 if ill else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        return served(Handler)


def picture(number: int) -> bytes:
    """A PNG that no other number gives."""
    colour = (number >> 16 & 255, number >> 8 & 255, number & 255)
    out = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(out, "PNG")
    return out.getvalue()


@dataclass
class Proxy:
    """Between the runs and the server at ``port``; counts what passes, and lets some go wrong."""

    port: int
    share: float
    chance: random.Random
    expired: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    posted: Counter[str] = field(default_factory=Counter)
    first_post: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Quiet:
        """The server."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.handle_it(b"")

            def do_POST(self) -> None:
                self.handle_it(self.rfile.read(int(self.headers["Content-Length"])))

            def handle_it(self, body: bytes) -> None:
                fault = proxy.fault(self.command)
                if fault in ("reset", "429", "502", "503", "401"):
                    return self.refuse(fault)
                status, headers, answer = self.passed_on(body)
                if self.command == "POST":
                    proxy.post(status, body)
                if fault == "lost":
                    self.close_connection = True
                    return None
                return self.tell(status, answer, headers)

            def refuse(self, fault: str) -> None:
                if fault == "reset":
                    self.close_connection = True
                    return
                wait = {"Retry-After": "1"} if fault in ("429", "503") else {}
                self.tell(int(fault), b"{}", {"Content-Type": "application/json", **wait})

            def passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
                server = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
                kept = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                with contextlib.closing(server):
                    server.request(self.command, self.path, body or None, kept)
                    answer = server.getresponse()
                    wanted = ("content-type", "retry-after")
                    told = {k: v for k, v in answer.getheaders() if k.lower() in wanted}
                    return answer.status, told, answer.read()

            def tell(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        return served(Handler)

    def fault(self, method: str) -> str | None:
        """What goes wrong with this request."""
        self.counts[method] += 1
        if self.expired:
            return "401"
        if self.chance.random() >= self.share:
            return None
        fault = self.chance.choice(("lost", "reset", "429", "502", "503"))
        self.counts[fault] += 1
        return fault

    def post(self, status: int, body: bytes) -> None:
        """A batch came through, whatever the client hears of it."""
        self.counts[f"POST {status}"] += 1
        images = [each["id"] for each in json.loads(body)["images"]]
        if status == 200:
            self.posted.update(images)
        self.first_post.set()


@dataclass
class Stage:
    """The folder in which all of it runs, with a clock that is moved by hand."""

    folder: Path
    plan: Plan
    moved: int = 0

    def __post_init__(self) -> None:
        found = library()
        assert found, "libfaketime is not installed"
        self.clock = self.folder / "clock"
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("LDIMPORT_", "LI_"))},
            "HOME": str(self.folder),
            "LDIMPORT_SERVE_TOKEN": TOKEN,
            "LDIMPORT_TOKEN": TOKEN,
            "LD_PRELOAD": found,
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1",
        }
        self.move(0)

    def move(self, seconds: int) -> None:
        """From now on it is so much later."""
        self.moved += seconds
        new = self.folder / "clock.new"
        new.write_text(f"+{self.moved}\n")
        new.replace(self.clock)

    def write(self, origin: int, target: int) -> None:
        """The manifest, the config and cron's script."""
        rows = (
            f"a{n},http://127.0.0.1:{origin}/{n}.png,Photo {n}" for n in range(self.plan.images)
        )
        (self.folder / "archive.csv").write_text("id,url,fileName\n" + "\n".join(rows) + "\n")
        (self.folder / "ldimport.yaml").write_text(
            f"target: http://127.0.0.1:{target}\nsystemName: weeks\nrequestsPerSecond: 200\n"
        )
        docs = (ROOT / "docs" / "unattended.md").read_text("utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```$", docs, re.MULTILINE | re.DOTALL)
        script = next(each for each in blocks if each.startswith("#!"))
        script = script.replace("--yes", f"--yes --batch-size {self.plan.batch}")
        (self.folder / "import.sh").write_text(script)
        program = self.folder / "bin" / "ldimport"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ldimport "$@"\n')
        program.chmod(0o700)
        self.env["PATH"] = f"{program.parent}:{self.env['PATH']}"
        self.env["LDIMPORT_CONFIG"] = str(self.folder / "ldimport.yaml")

    def cron(self) -> subprocess.CompletedProcess[str]:
        """Cron's script, to its end; what it prints would be mailed."""
        return subprocess.run(
            ["sh", "import.sh", "archive.csv"], cwd=self.folder, env=self.env, text=True,
            capture_output=True, timeout=DEADLINE, check=False,
        )  # fmt: skip

    def killed(self, proxy: Proxy, after: float) -> None:
        """A run that is killed a moment after its first batch came through."""
        proxy.first_post.clear()
        run = subprocess.Popen(
            ["ldimport", "submit", "archive.csv", "--yes", "--batch-size", str(self.plan.batch)],
            cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        proxy.first_post.wait(20)
        time.sleep(after)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()

    def status(self) -> dict[str, int]:
        """The sums that the state file tells."""
        done = subprocess.run(
            ["ldimport", "status", "--json"], cwd=self.folder, env=self.env, text=True,
            capture_output=True, check=True,
        )  # fmt: skip
        totals: dict[str, int] = json.loads(done.stdout)["totals"]
        return totals

    def stored(self) -> tuple[int, int]:
        """Images in the server's library, and accepted in jobs."""
        with contextlib.closing(sqlite3.connect(self.folder / "engine/catalogue.sqlite")) as base:
            (library,) = base.execute("SELECT count(*) FROM media").fetchone()
            (items,) = base.execute("SELECT coalesce(sum(images), 0) FROM job").fetchone()
            return int(library), int(items)

    def most_in_a_day(self) -> int:
        """The most images that the server stored within any 24 hours."""
        with contextlib.closing(sqlite3.connect(self.folder / "engine/catalogue.sqlite")) as base:
            times = [at for (at,) in base.execute("SELECT created_at FROM asset ORDER BY 1")]
        first = most = 0
        for n, at in enumerate(times):
            while times[first] <= at - DAY:
                first += 1
            most = max(most, n + 1 - first)
        return most

    @contextlib.contextmanager
    def serving(self, origin: int) -> Iterator[int]:
        """`ldimport serve`, whose clock moves too; gives its port."""
        limit, allowed = str(self.plan.limit), f"127.0.0.1:{origin}"
        server = subprocess.Popen(
            [sys.executable, "-m", "ldimport", "serve", "--port", "0", "--json", "--engine",
             "engine", "--daily-limit", limit, "--allow-host", allowed],
            cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        assert server.stdout is not None
        port = int(json.loads(server.stdout.readline())["port"])
        reader = threading.Thread(target=server.stdout.read, daemon=True)
        reader.start()
        try:
            yield port
        finally:
            server.terminate()
            server.wait(20)
            reader.join()
            server.stdout.close()


@dataclass
class Found:
    """What came of it."""

    nights: int = 0
    mails: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    arrived: int = 0
    accepted: int = 0
    twice: int = 0
    requests: Counter[str] = field(default_factory=Counter)


def play(plan: Plan, folder: Path, tell: bool = False) -> Found:
    """All nights, until everything has arrived."""
    found, began, chance = Found(), time.monotonic(), random.Random(plan.seed)
    photos = Photos(plan.failing)
    stage = Stage(folder, plan)
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(ended(photos.start()))
        port = stack.enter_context(stage.serving(origin))
        proxy = Proxy(port, plan.faults, random.Random(plan.seed + 1))
        stage.write(origin, stack.enter_context(ended(proxy.start())))
        expired = plan.nights // 3
        for night in range(1, plan.nights + 6):
            photos.night, found.nights = night, night
            one_night(stage, proxy, chance, found, night, expired=night == expired)
            check_morning(stage, found, night)
            if tell:
                print(
                    f"night {night}: {found.arrived} arrived, {found.accepted} accepted, "
                    f"{len(found.mails)} mails, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
            if found.arrived == plan.images:
                break
            stage.move(DAY + 900)
            time.sleep(1.2)  # until all have read the new time
        if (most := stage.most_in_a_day()) > plan.limit:
            found.wrong.append(f"{most} images in 24 hours, more than the limit")
    check_end(plan, proxy, found, photos)
    found.seconds = time.monotonic() - began
    return found


def one_night(
    stage: Stage, proxy: Proxy, chance: random.Random, found: Found, night: int, *, expired: bool
) -> None:
    """A run that is killed, then cron's. The night in which the token has expired is trouble, and
    mails; cron's next run, with a new token, goes on."""
    if stage.plan.kills:
        stage.killed(proxy, chance.uniform(0.0, 0.5))
    if expired:
        proxy.expired = True
        done = stage.cron()
        proxy.expired = False
        if done.returncode != 4 or "token" not in done.stdout:
            found.wrong.append(f"night {night}: an expired token was not told: {done.stdout}")
    done = stage.cron()
    failed = done.returncode == 1 and stage.status()["failed"]  # which is worth a mail
    if not failed and (done.stdout or done.stderr or done.returncode):
        found.mails.append(f"night {night} ({done.returncode}): {done.stdout}{done.stderr}")


def check_morning(stage: Stage, found: Found, night: int) -> None:
    """The sums add up, and agree with the server's."""
    totals, (library, found.accepted) = stage.status(), stage.stored()
    found.arrived = totals["success"] + totals["skipped"]
    if library != found.arrived + totals["pending"]:
        found.wrong.append(f"night {night}: the server has {library}, the state file {totals}")


def check_end(plan: Plan, proxy: Proxy, found: Found, photos: Photos) -> None:
    """Nothing is missing, and nothing was sent twice without need."""
    ill = sum(number % plan.failing == 0 for number in range(plan.images))
    found.twice = sum(n - 1 for n in proxy.posted.values())
    found.requests = proxy.counts
    if found.arrived != plan.images:
        found.wrong.append(f"{found.arrived} of {plan.images} arrived")
    if found.accepted > plan.images + 2 * ill:
        found.wrong.append(f"{found.accepted} images were accepted for {plan.images}, {ill} failed")
    if any(len(nights) > 3 for nights in photos.asked.values()):
        found.wrong.append("images were fetched again and again")
    if found.mails:
        found.wrong.append(f"{len(found.mails)} mails without trouble: {found.mails[0][:2_000]}")


def main() -> int:
    """Play, and print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name, default in (("images", 20_000), ("limit", 500), ("batch", 800), ("seed", 11)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--faults", type=float, default=0.1, help="share of requests")
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave it")
    wanted = parser.parse_args()
    plan = Plan(wanted.images, wanted.limit, wanted.batch, wanted.faults, seed=wanted.seed)
    folder = wanted.keep or Path(tempfile.mkdtemp(prefix="ldimport-weeks-"))
    folder.mkdir(exist_ok=True)
    try:
        found = play(plan, folder, tell=True)
    finally:
        if wanted.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{found.arrived} of {plan.images} images in {found.nights} nights "
          f"({plan.nights} at least), {found.seconds:.0f} s")  # fmt: skip
    print(f"requests: {dict(sorted(found.requests.items()))}")
    print(f"accepted {found.accepted} images; posted twice and accepted {found.twice}")
    for each in found.wrong:
        print(f"WRONG {each}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
