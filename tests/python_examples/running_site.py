"""A running Django example, for the tests that visit it. The environment says where things are, see `django_site.py`."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "examples" / "django"
STOP_SECONDS_MAX = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """A running `run.py` and what is known of it."""

    def __init__(self, base: Path, *arguments: str) -> None:
        self.base = base
        self.address = f"http://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        command = [sys.executable, str(PROJECT / "run.py"), "--base", str(base), "--port", port, *arguments]
        self.output = base / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*command, "--server", os.environ["RHINOD"], "--venv", os.environ["VIRTUALENV"]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def await_readiness(self) -> None:
        """Returns when `run.py` says that everything runs; its own output tells why it does not."""
        # The first time a virtualenv is filled, which has a limit of its own in run.py.
        while "Ctrl-C stops everything." not in self.output.read_text():
            if self.process.poll() is not None:
                raise AssertionError(f"run.py ended with code {self.process.returncode}:\n{self.output.read_text()}")
            try:
                self.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue

    def password(self) -> str:
        return re.search(r"admin, password (\S+)", self.output.read_text())[1]

    def master(self) -> int:
        """The number in the pid file that the ini names."""
        return int((self.base / "run" / "myProject.pid").read_text())

    def log(self, name: str) -> list[str]:
        return (self.base / "run" / "log" / name).read_text().splitlines()
