"""Starts, watches and stops the daemons of one instance.

Waits for events only: a signal to this process, the end of a daemon, readiness. Each daemon is in a session of its
own, so that Ctrl-C reaches `run.py` alone, which then stops them in the right order; and the kernel ends them should
`run.py` die without a chance to.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployment.failure import Failure

READY_SECONDS_MAX = 60
CHECK_SECONDS = 0.02
LOG_LINES_SHOWN = 20
WATCHED = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
# prctl(2)
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


class Stopped(Exception):
    """The user asked for the end."""


def exit_code(work: Callable[[], None]) -> int:
    """The exit code of a program that does this: 0 when the user ends it, 1 with a message when it cannot be done."""
    try:
        work()
    except Failure as failure:
        print(f"run.py: {failure}", file=sys.stderr)
        return 1
    except (Stopped, KeyboardInterrupt):
        print("Stopped.", flush=True)
    return 0


@dataclass(frozen=True)
class Service:
    """One daemon: what to run, where its output goes, how to tell that it is ready, and how to stop it."""

    name: str
    command: list[str]
    log: Path
    directory: Path
    environment: dict[str, str]
    ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds_max: float = 20


class Supervisor(contextlib.AbstractContextManager):
    """The running daemons, in the order of their start. Leaving the context stops them in the opposite order."""

    def __init__(self) -> None:
        self.running: list[tuple[Service, subprocess.Popen]] = []

    def __enter__(self) -> Supervisor:
        self.mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        return self

    def __exit__(self, *_failure: object) -> None:
        for service, process in reversed(self.running):
            stop(service, process)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask_before)

    def start(self, service: Service) -> None:
        """Starts a daemon and returns when it is ready. `Failure` with the end of its log when it ends instead."""
        self.running.append((service, self.spawn(service)))
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not service.ready():
            if time.monotonic() > deadline:
                raise Failure(f"{service.name} is not ready after {READY_SECONDS_MAX} s\n{end_of(service.log)}")
            self.handle(signal.sigtimedwait(WATCHED, CHECK_SECONDS))

    @staticmethod
    def spawn(service: Service) -> subprocess.Popen:
        """The process of a daemon, which appends to its log."""
        with service.log.open("ab") as log:
            return subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=service.directory,
                env=service.environment,
                start_new_session=True,
                preexec_fn=before_exec(os.getpid()),
            )

    def watch(self) -> None:
        """Sleeps until the user asks for the end (`Stopped`) or a daemon ends by itself (`Failure`)."""
        while True:
            self.handle(signal.sigwaitinfo(WATCHED))

    def handle(self, information: signal.struct_siginfo | None) -> None:
        """Judges one signal; none is no news."""
        if information is None:
            return
        if information.si_signo != signal.SIGCHLD:
            raise Stopped
        for service, process in self.running:
            if process.poll() is not None:
                how = describe(process.returncode)
                raise Failure(f"{service.name} {how}; its log {service.log} ends with\n{end_of(service.log)}")


def before_exec(parent: int) -> Callable[[], None]:
    """What the child does between fork and exec: signals as usual, and an end when the parent has one."""

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    return prepare


def stop(service: Service, process: subprocess.Popen) -> None:
    """Asks a daemon to end and waits; one that does not is killed, with everything in its session."""
    if process.poll() is not None:
        return
    process.send_signal(service.stop_signal)
    try:
        process.wait(service.stop_seconds_max)
    except subprocess.TimeoutExpired:
        print(f"{service.name} has not ended after {service.stop_seconds_max:.0f} s and is killed", flush=True)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def describe(code: int) -> str:
    """How a process ended, in words."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def end_of(log: Path) -> str:
    """The last lines of a log, indented."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n".join("    " + line for line in lines)
