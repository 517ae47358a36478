"""The screen of ``serve``: what is served, then a line for everything that happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ldimport.cli.output.screen import Part, Screen
from ldimport.cli.output.text import counted, duration, number, size, utc

Facts = Mapping[str, Any]


def banner(screen: Screen, version: str, url: str, token: str, config: str, about: Facts,
           allowed: str) -> None:  # fmt: skip
    """What is served and to whom. ``token`` is the hint of a token, ``config`` where the project
    config comes from, ``about`` the facts of the ``engine`` event."""
    screen.line((f"ldimport {version}", "bold"), "  local import engine   Ctrl-C stops; "
                "nothing is lost", indent=2)  # fmt: skip
    screen.blank()
    limit, workers = about["dailyLimit"], about["workers"]
    quota = f"{number(limit)} images in 24 h" if limit else "no quota"
    crew = counted(workers, "worker") if workers else "no workers: ldimport worker does the work"
    screen.facts(
        {
            "API": f"{url.rstrip('/')}/api/v1/import/images",
            "token": token,
            "config": f"{config} · {', '.join(about['mediaTypes'])}",
            "data": f"{about['place']} · {counted(about['images'], 'image')}"
            f" · {size(about['bytes'])}",
            "limits": f"{quota} · {crew} · {allowed}",
        }
    )
    screen.blank()


def token_hint(text: str | None, names: list[str]) -> str:
    """Which tokens are let in: the ends of the one for this run, the names of the others."""
    shown = []
    if text is not None:
        ends = f"{text[:4]}…{text[-4:]}" if len(text) >= 16 else "********"
        shown.append(f"{ends} from LDIMPORT_SERVE_TOKEN")
    shown += names[:3]
    if len(names) > 3:
        shown.append(f"{number(len(names) - 3)} more")
    return ", ".join(shown) or "none: nobody can send an image"


def happened(screen: Screen, now: float, kind: str, facts: Facts) -> None:
    """One line: local time on a terminal, UTC elsewhere."""
    line = _LINES.get(kind)
    if line is None:
        return
    tty = screen.stream.tty
    at = f"{datetime.fromtimestamp(now):%H:%M:%S}" if tty else utc(now)
    screen.verbatim(f"{at}  ", *line(facts, "→ " if tty else ""))


def _request(facts: Facts, arrow: str) -> tuple[Part, ...]:
    took = f"{facts['milliseconds']:>6.0f} ms"
    words = f"{facts['method']:<5}{facts['path']:<35}"
    bad = facts["status"] >= 400
    return words, (str(facts["status"]), "yellow" if bad else ""), f"{took}  {facts['note']}"


def _job(facts: Facts, arrow: str) -> tuple[Part, ...]:
    head = f"job  {facts['id']}  "
    if facts["state"] == "started":
        return head, f"started, {counted(facts['images'], 'image')}"
    if facts["state"] != "success":
        return head, ("✗", "red"), f" {facts['state']} as a whole"
    sign = ("✗", "red") if facts["failed"] else ("✓", "green")
    sums = (f"{number(facts[key])} {word}" for key, word in _SUMS)
    return head, sign, f" {' · '.join(sums)}   {duration(facts['seconds'])}"


_SUMS = (("success", "imported"), ("skipped", "skipped"), ("failed", "failed"))


def _webhook(facts: Facts, arrow: str) -> tuple[Part, ...]:
    status = "no answer" if facts["status"] is None else str(facts["status"])
    took = f"{facts['milliseconds']:.0f} ms"
    arrived = not facts["note"]
    return (
        f"hook {facts['job']}  {arrow}{facts['url']}   ",
        (status, "" if arrived else "yellow"),
        f"   {took}  {facts['note']}",
    )


def _workers(facts: Facts, arrow: str) -> tuple[Part, ...]:
    return ("workers pause", "yellow"), f" for {duration(facts['seconds'])}: {facts['why']}"


_LINES: Mapping[str, Callable[[Facts, str], tuple[Part, ...]]] = {
    "request": _request,
    "job": _job,
    "webhook": _webhook,
    "workers": _workers,
}


def stopped(screen: Screen, open_jobs: int) -> None:
    """The last line."""
    rest = (
        f" {counted(open_jobs, 'job')} {'goes' if open_jobs == 1 else 'go'} on at the next start."
    )
    screen.line(("■", "yellow"), f" Stopped.{rest if open_jobs else ''}", indent=2)
