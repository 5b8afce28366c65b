"""What the tests of the examples need to know of processes and of waiting. Linux: reads `/proc`."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 120
CHECK_SECONDS = 0.05


def await_that(what: str, condition: Callable[[], object]) -> object:
    """Returns what `condition` returns once that is true; an error names `what` when it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")
        time.sleep(CHECK_SECONDS)
    return found


def children(pid: int) -> list[int]:
    """The living children of a process; none when it is gone."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def workers(master: int) -> list[int]:
    """The workers of a rhinod: master, zygotes below it, workers below those."""
    return [worker for zygote in children(master) for worker in children(zygote)]
