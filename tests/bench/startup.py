"""How long a command takes to start, beside what cannot be avoided; all interleaved in one run.

    python tests/bench/startup.py [ROUNDS]

Prints the median of each and two ratios: ``--version`` to ``python -c pass`` (aim 2.5), and
``status`` to an empty typer app of two commands (aim 1.3).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 30
EMPTY_APP = """
import typer

app = typer.Typer(add_completion=False)


@app.command()
def one() -> None:
    pass


@app.command()
def two() -> None:
    pass


app()
"""


def main(rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        script = home / "empty.py"
        script.write_text(EMPTY_APP)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "ldimport --version": [str(Path(sys.executable).with_name("ldimport")), "--version"],
            "empty typer app": [sys.executable, str(script), "one"],
            "ldimport status": [str(Path(sys.executable).with_name("ldimport")), "status"],
        }
        env = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for n in range(rounds + 2):
            for name, command in commands.items():
                taken = measure(command, env)
                if n >= 2:  # the first rounds fill the caches
                    times[name].append(taken)
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:<20} {median * 1000:7.1f} ms   (least {min(times[name]) * 1000:.1f})")
    print(f"--version / pass     {_ratio(times, 'ldimport --version', 'python -c pass')}")
    print(f"status / empty app   {_ratio(times, 'ldimport status', 'empty typer app')}")


def measure(command: list[str], env: dict[str, str]) -> float:
    """Seconds from start to end of one process."""
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _ratio(times: dict[str, list[float]], mine: str, other: str) -> str:
    """Ratio of the medians, and of the least times, which other load on the machine hurts less."""
    medians = statistics.median(times[mine]) / statistics.median(times[other])
    return f"{medians:.2f}x   (least times {min(times[mine]) / min(times[other]):.2f}x)"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
