"""Whose turn it is: a host that is slow to answer is none that stalls."""

from __future__ import annotations

from ldimport.net.answers import FetchSource
from ldimport.net.hosts import Hosts
from ldimport.net.turns import LOOK_SECONDS, FetchTask, Turns
from ldimport.url import parse


class Line:
    """One host, and a clock that moves as it is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns = Turns(Hosts[FetchTask]())

    def ask(self) -> FetchTask:
        url = parse("https://img.example/1.jpg")
        task = FetchTask(FetchSource(url.text), url, url)
        task.begin(self.now)
        self.turns.of(task).busy += 1
        return task

    def wait(self, task: FetchTask, seconds: float, received: int = 0) -> bool:
        """Whether it counts as one that stalls after so many seconds."""
        ends = self.now + seconds
        while self.now < ends:
            self.now = min(ends, self.now + LOOK_SECONDS)
            self.turns.look([(task, received)], self.now)
        return task.still

    def answer(self, task: FetchTask) -> None:
        self.turns.ended(task, self.now, well=True)


def test_a_host_that_is_slow_to_answer_has_the_time_that_it_took_before() -> None:
    line = Line()
    task = line.ask()
    assert line.wait(task, 0.7), "nothing is known of it yet"
    host = line.turns.of(task)
    assert host.still_until > line.now and not host.open
    line.answer(task)
    assert host.still_until == 0 and host.open and host.proven, "it answers: no rest to keep"
    second = line.ask()
    assert not line.wait(second, 1.5)
    line.answer(second)
    third = line.ask()
    assert line.wait(third, 30), "it answers no longer"
    line.answer(third)


def test_of_a_host_that_stalled_the_next_transfer_is_not_waited_for_as_long() -> None:
    line = Line()
    task = line.ask()
    line.wait(task, 1.5)
    line.answer(task)
    assert line.wait(line.ask(), 6)
    assert line.wait(line.ask(), 0.5)


def test_a_host_that_drips_is_given_no_time_for_what_comes_in_the_end() -> None:
    line = Line()
    task = line.ask()
    assert line.wait(task, 60, received=10)
    line.answer(task)
    assert line.wait(line.ask(), 1.5, received=10)
