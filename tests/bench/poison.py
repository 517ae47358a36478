"""What one image that stops every worker costs a thousand others.

    python tests/bench/poison.py [--images 1000] [--workers 2]

``ldimport serve`` carries out the images once as they are, and once with one over which a worker
hangs in C code, holding the interpreter's lock: the first, in a job of its own, leased with others.
Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import httpx
from origin import Origin, serve
from serve import TOKEN, bodies, served

SEAM = """
import re, sys
if "ldimport.engine.worker" in sys.orig_argv:
    from ldimport.engine.import_image import ImageImporter
    answered = ImageImporter._answered

    def poisoned(self, task, answer):
        if task.image.id == "photo-{poison}":
            re.match("(a+)+$", "a" * 64 + "b")
        return answered(self, task, answer)

    ImageImporter._answered = poisoned
"""


def run(origin: Origin, images: int, workers: int, poison: int | None) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "sitecustomize.py").write_text(SEAM.format(poison=poison))
        os.environ["PYTHONPATH"] = str(folder)
        options = ("--allow-host", origin.host, "--workers", str(workers))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with served(folder, *options) as url, httpx.Client(base_url=url, headers=headers) as http:
            began = time.monotonic()
            jobs = [
                http.post("/api/v1/import/images", content=body).json()["id"]
                for body in (*bodies(1, origin), *bodies(images - 1, origin, 1))
            ]
            slowest, healthy, looks, last = 0.0, 0, 0, 0.0
            while jobs:
                asked = time.monotonic()
                healthy += http.get("/health").status_code == 200
                slowest = max(slowest, time.monotonic() - asked)
                looks += 1
                for job in list(jobs):
                    last = time.monotonic() - began
                    body = http.get("/api/v1/import/images/status", params={"id": job}).json()
                    if body["finished"]:
                        told = body["images"]
                        failed = [each["reason"] for each in told if each["status"] == "failed"]
                        print(f"  {len(told)} images ended after {last:.1f} s, failed: {failed}")
                        jobs.remove(job)
                time.sleep(0.1)
            how = "without" if poison is None else "with"
            print(f"{how} poison: {images} images in {last:.1f} s, {images / last:.0f}/s")
            print(f"  /health: 200 {healthy} of {looks} times, {slowest * 1000:.0f} ms at most")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=1000)
    options.add_argument("--workers", type=int, default=2)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as name, serve(Path(name), 100) as origin:
        for poison in (None, 0):
            run(origin, asked.images, asked.workers, poison)


if __name__ == "__main__":
    main()
