"""Visitors of the site: a few at a time, who ask one after another, and count whose answers they got."""

from __future__ import annotations

import contextlib
import http.client
import threading
from dataclasses import dataclass

VISITORS = 8
# A page that takes 5 ms, as if it asked a database.
PAGE = "/wait/5/"
ANSWER_SECONDS_MAX = 30


@dataclass
class Counts:
    """Answers of all kinds, those of them that were errors, and those that a generation on trial gave."""

    answers: int = 0
    errors: int = 0
    by_newest: int = 0


class Visitors(contextlib.AbstractContextManager):
    """Visitors at a port of this machine, from the beginning of the context to its end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.seen: dict[int, list[int]] = {}
        self.latest = 0
        self.lost = 0
        self.threads = [threading.Thread(target=self.visit) for _ in range(VISITORS)]

    def __enter__(self) -> Visitors:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def visit(self) -> None:
        """One visitor's life."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS_MAX)
        while not self.ended.is_set():
            try:
                connection.request("GET", PAGE)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                with self.lock:
                    self.lost += 1
                continue
            generation = int(answer.headers.get("X-Rhinod-Generation", 0))
            with self.lock:
                self.latest = max(self.latest, generation)
                counted = self.seen.setdefault(generation, [0, 0])
                counted[0] += 1
                counted[1] += answer.status != http.client.OK

    def newest(self) -> int:
        """The newest generation that has ever answered: an older one may still have the last word of its time."""
        with self.lock:
            return self.latest

    def take(self, after: int) -> Counts:
        """What was counted since the last call. Generations after this one are on trial."""
        with self.lock:
            seen, lost, self.seen, self.lost = self.seen, self.lost, {}, 0
        by_newest = sum(answers for generation, (answers, _) in seen.items() if generation > after)
        answers = sum(answers for answers, _ in seen.values()) + lost
        return Counts(answers, sum(errors for _, errors in seen.values()) + lost, by_newest)
