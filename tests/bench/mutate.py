"""Change the code in one place at a time and see whether a test notices.

    python tests/bench/mutate.py [PACKAGE…] [--mutants 150] [--seed 1] [--minutes 60]

Mutants come from cosmic-ray's operators, and from calls that are left out; ``--mutants`` of them
are drawn for each package (``migration`` and ``engine`` unless others are named). Each meets the
tests of its package, then the survivors those of the command line and of the server.
Results are kept in ``--folder``, so that the same command goes on where it stopped. The command
installs cosmic-ray there; what is changed are copies of the project, never the project.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("ldimport", "tests", "samples", "docs", "README.md", "CONTRIBUTING.md", "pyproject.toml")
NEAREST = {"engine": ("tests/engine", "tests/targets")}
"""Tests of a package, where these are not those in the folder of its name."""
OTHERS = ("tests/cli", "tests/e2e", "tests/server", "tests/test_docs.py")
MOST_SECONDS = 600


@dataclass(frozen=True)
class Mutant:
    """The code of one file with one change; equal mutants of the same code have equal ids."""

    id: str
    path: str
    line: int
    operator: str
    code: str
    diff: str


# -- which ----------------------------------------------------------------------------------


def operators(folder: Path) -> dict[str, Any]:
    """Cosmic-ray's, installed below ``folder``, but for those that a type annotation or a module
    of constants would meet most; and one of our own."""
    tools = folder / "tools"
    if not tools.exists():
        venv.create(tools, with_pip=True)
        subprocess.run([tools / "bin" / "pip", "install", "-q", "cosmic-ray"], check=True)
    sys.path += map(str, tools.glob("lib/*/site-packages"))
    from cosmic_ray.operators.operator import Operator
    from cosmic_ray.plugins import get_operator, operator_names
    from parso import parse

    class LeaveOutCall(Operator):  # type: ignore[misc]
        """A statement that is only a call becomes ``pass``."""

        def mutation_positions(self, node: Any) -> Iterator[Any]:
            if node.type == "atom_expr" and node.parent.type in ("simple_stmt", "await"):
                yield node.start_pos, node.end_pos

        def mutate(self, node: Any, _: int) -> Any:
            left = parse("pass").children[0]
            left.prefix = node.get_first_leaf().prefix
            return left

        @classmethod
        def examples(cls) -> tuple[()]:
            return ()

    unwanted = ("BitOr", "variable", "no-op", "Decorator", "Exception", "_Is", "Is_")
    names = [name for name in operator_names() if not any(word in name for word in unwanted)]
    names += [name for name in operator_names() if name.endswith(("Is_IsNot", "IsNot_Is"))]
    return {**{name: get_operator(name) for name in names}, "LeaveOutCall": LeaveOutCall}


def sites(code: str, known: dict[str, Any]) -> dict[int, list[tuple[str, int]]]:
    """Lines that can be changed, and the (operator, occurrence) that change them. Not those that
    say how a dataclass is made: no caller sees that."""
    from cosmic_ray.ast import ast_nodes, get_ast

    lines = code.splitlines()
    found: dict[int, list[tuple[str, int]]] = {}
    nodes = list(ast_nodes(get_ast(code)))
    for name, operator in known.items():
        if operator.arguments():
            continue
        made = operator()
        starts = [start for node in nodes for start, _ in made.mutation_positions(node)]
        for occurrence, (line, _) in enumerate(starts):
            if not lines[line - 1].startswith(("@dataclass", "if TYPE_CHECKING")):
                found.setdefault(line, []).append((name, occurrence))
    return found


def drawn(package: str, known: dict[str, Any], wanted: int, chance: random.Random) -> list[Mutant]:
    """``wanted`` mutants of a package, each in another line."""
    places = []
    for path in sorted((ROOT / "ldimport" / package).rglob("*.py")):
        code = path.read_text(encoding="utf-8")
        places += [(path, code, line, ways) for line, ways in sorted(sites(code, known).items())]
    chance.shuffle(places)
    found: list[Mutant] = []
    for path, code, line, ways in places:
        if len(found) == wanted:
            break
        name, occurrence = chance.choice(ways)
        changed = _changed(code, known[name](), occurrence)
        if changed != code:
            found.append(_mutant(path, code, changed, line, name))
    return found


def _changed(code: str, operator: Any, occurrence: int) -> str:
    from cosmic_ray.mutating import mutate_code

    try:
        return mutate_code(code, operator, occurrence) or code
    except AttributeError:  # an exception with a dot in its name: cosmic-ray cannot
        return code


def _mutant(path: Path, code: str, changed: str, line: int, operator: str) -> Mutant:
    name = path.relative_to(ROOT).as_posix()
    lines = difflib.unified_diff(code.splitlines(), changed.splitlines(), name, name, "", "", 1, "")
    identity = hashlib.sha256(f"{name}\n{changed}".encode()).hexdigest()[:16]
    return Mutant(identity, name, line, operator, changed, "\n".join(list(lines)[2:]))


# -- what comes of them ----------------------------------------------------------------------


class Tree:
    """A copy of the project in which one mutant at a time is tried."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, folder / name)
        self._changes = 0

    def tried(self, mutant: Mutant, tests: tuple[str, ...], seconds: float) -> str:
        """``killed``, ``timeout`` or ``survived``."""
        path = self.folder / mutant.path
        whole = path.read_text(encoding="utf-8")
        self._write(path, mutant.code)
        try:
            return self.tested(tests, seconds)
        finally:
            self._write(path, whole)

    def _write(self, path: Path, code: str) -> None:
        """With a time that no change before had: Python compares it with what it compiled."""
        self._changes += 1
        path.write_text(code, encoding="utf-8")
        os.utime(path, (0, 1_000_000_000 + self._changes))

    def tested(self, tests: tuple[str, ...], seconds: float) -> str:
        """What the tests say of the tree as it is."""
        there = [name for name in tests if (self.folder / name).exists()]
        options = (
            "-x",
            "-q",
            "-n0",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestWarning",
        )
        running = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *there],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            return "timeout"
        self.said = said
        return "survived" if running.returncode == 0 else "killed"


class Results:
    """What came of each mutant, in a file of one line each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, dict[str, Any]] = {}
        if path.exists():
            lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            self.known = {each["id"]: each for each in lines}

    def survived(self, mutant: Mutant, tests: str) -> bool:
        """Whether these were the last tests that it met, and it survived them."""
        known = self.known.get(mutant.id)
        return known is not None and (known["result"], known["tests"]) == ("survived", tests)

    def add(self, mutant: Mutant, result: str, tests: str) -> None:
        facts = {**asdict(mutant), "result": result, "tests": tests}
        del facts["code"]
        self.known[mutant.id] = facts
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


def nearest(mutant: Mutant) -> tuple[str, ...]:
    package = mutant.path.split("/")[1]
    return NEAREST.get(package, (f"tests/{package}",))


def seconds_of(tree: Tree, tests: tuple[str, ...]) -> float:
    """How long tests may take with a mutant: thrice what they take now, when nothing fails."""
    before = time.monotonic()
    if tree.tested(tests, MOST_SECONDS) != "survived":
        raise SystemExit(f"{' '.join(tests)} fail as they are:\n{tree.said[-3000:]}")
    return 30 + 3 * (time.monotonic() - before)


def run(mutants: list[Mutant], results: Results, trees: list[Tree], ends: float) -> None:
    """Try all with their nearest tests; then the survivors with the others. What is known already
    is left out, and what the time does not suffice for."""
    fresh = [each for each in mutants if each.id not in results.known]
    _round([(each, nearest(each)) for each in fresh], results, trees, ends)
    survivors = [each for each in mutants if results.survived(each, " ".join(nearest(each)))]
    _round([(each, OTHERS) for each in survivors], results, trees, ends)


def _round(
    work: list[tuple[Mutant, tuple[str, ...]]], results: Results, trees: list[Tree], ends: float
) -> None:
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)
    limits = {tests: seconds_of(trees[0], tests) for tests in {tests for _, tests in work}}
    for tests, seconds in limits.items():
        print(f"{' '.join(tests)}: at most {seconds:.0f} s for a mutant", flush=True)

    def tried(mutant: Mutant, tests: tuple[str, ...]) -> None:
        if time.monotonic() > ends:
            return
        tree = free.get()
        try:
            result = tree.tried(mutant, tests, limits[tests])
            results.add(mutant, result, " ".join(tests))
            print(f"{result:8} {mutant.path}:{mutant.line} {mutant.operator}", flush=True)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        for done in [pool.submit(tried, *each) for each in work]:
            done.result()


def told(mutants: list[Mutant], results: Results) -> None:
    """The sums, and every survivor."""
    found = [results.known[each.id] for each in mutants if each.id in results.known]
    for package in sorted({each["path"].split("/")[1] for each in found}):
        counts = Counter(e["result"] for e in found if e["path"].split("/")[1] == package)
        words = ", ".join(f"{n} {word}" for word, n in sorted(counts.items()))
        print(f"{package}: {counts.total()} mutants, {words}")
    for each in found:
        if each["result"] == "survived":
            print(f"\n{each['path']}:{each['line']} {each['operator']}\n{each['diff']}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("packages", nargs="*", default=["migration", "engine"])
    options.add_argument("--mutants", type=int, default=150)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--minutes", type=float, default=60)
    options.add_argument("--parallel", type=int, default=2)
    default = Path(tempfile.gettempdir()) / "ldimport-mutants"
    options.add_argument("--folder", type=Path, default=default)
    asked = options.parse_args()
    ends = time.monotonic() + asked.minutes * 60
    asked.folder.mkdir(parents=True, exist_ok=True)
    known = operators(asked.folder)
    each = [
        drawn(package, known, asked.mutants, random.Random(f"{asked.seed} {package}"))
        for package in asked.packages
    ]
    mutants = [mutant for turn in zip_longest(*each) for mutant in turn if mutant is not None]
    results = Results(asked.folder / "results.jsonl")
    trees = [Tree(asked.folder / f"tree-{n}") for n in range(asked.parallel)]
    run(mutants, results, trees, ends)
    told(mutants, results)


if __name__ == "__main__":
    main()
