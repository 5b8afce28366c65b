"""`run.py` when something is wrong: it says what and ends with code 1, without a traceback. Environment: django_site.py."""

import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

RUN = Path(__file__).resolve().parents[2] / "examples" / "django" / "run.py"
RUN_SECONDS_MAX = 300


class Refusals(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="rhinod-django-")
        self.addCleanup(directory.cleanup)
        self.base = Path(directory.name)

    def refused(self, *arguments: str) -> str:
        """What `run.py` writes to standard error when it refuses."""
        command = [sys.executable, str(RUN), "--venv", os.environ["VIRTUALENV"], *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr

    def test_1_a_server_that_there_is_not(self) -> None:
        said = self.refused("--base", str(self.base), "--server", "no-such-server")
        self.assertEqual(said, "run.py: there is no program no-such-server\n")

    def test_2_a_server_that_ends_at_once(self) -> None:
        said = self.refused("--base", str(self.base), "--server", "false")
        self.assertIn("run.py: server ended with code 1; its log", said)
        self.assertFalse((self.base / "run" / "redis.sock").exists(), "Redis is still there")

    def test_3_a_directory_too_deep_for_a_socket(self) -> None:
        said = self.refused("--base", str(self.base / ("x" * 100)), "--server", os.environ["RHINOD"])
        self.assertIn("is too long for a unix socket; choose a shorter directory with --base", said)

    def test_4_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            said = self.refused("--base", str(self.base), "--server", os.environ["RHINOD"], "--port", port)
        self.assertIn("run.py: nginx ended with code 1", said)
        self.assertIn("Address already in use", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
