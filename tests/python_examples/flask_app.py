"""The Flask example, served by rhinod as its own ini says. Environment as in django_site.py."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from processes import await_that
from uwsgi_client import ask

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE = EXAMPLES / "flask"
sys.path.insert(0, str(EXAMPLES / "django"))

from deployment import virtualenv  # noqa: E402  (found by the line above)

STOP_SECONDS_MAX = 30


class FlaskApp(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        directory = tempfile.TemporaryDirectory(prefix="rhinod-flask-")
        cls.addClassCleanup(directory.cleanup)
        place = Path(directory.name)
        for name in ("app.py", "flask.ini"):
            shutil.copy(EXAMPLE / name, place)
        virtualenv.ensure(Path(os.environ["VIRTUALENV"]), EXAMPLE / "requirements.txt")
        (place / "venv").symlink_to(os.environ["VIRTUALENV"], target_is_directory=True)
        cls.socket, cls.log = str(place / "flask.sock"), place / "log"
        with cls.log.open("w") as log:
            # From another directory: the ini says where the application is.
            cls.server = subprocess.Popen(
                [os.environ["RHINOD"], "--ini", str(place / "flask.ini")], cwd="/", stdout=log, stderr=log
            )
        cls.addClassCleanup(cls.end)
        await_that("two workers", lambda: cls.log.read_text().count("spawned uWSGI worker") >= 2)

    @classmethod
    def end(cls) -> None:
        if cls.server.poll() is None:
            cls.server.send_signal(signal.SIGINT)
            cls.server.wait(STOP_SECONDS_MAX)

    def test_1_greets_by_name(self) -> None:
        self.assertEqual(ask(self.socket, "GET", "/"), ("200 OK", b"Hello, world\n"))
        self.assertEqual(ask(self.socket, "GET", "/?name=<Ada>"), ("200 OK", b"Hello, <Ada>\n"))

    def test_2_counts_the_words_of_a_body(self) -> None:
        status, answer = ask(self.socket, "POST", "/words", "drei kleine Wörter".encode())
        self.assertEqual((status, json.loads(answer)["words"]), ("200 OK", 3))

    def test_3_refuses_what_is_no_text_or_too_much(self) -> None:
        self.assertEqual(ask(self.socket, "POST", "/words", b"\xff")[0], "400 BAD REQUEST")
        self.assertEqual(ask(self.socket, "POST", "/words", b"x" * 65537)[0], "413 REQUEST ENTITY TOO LARGE")

    def test_4_is_healthy(self) -> None:
        self.assertEqual(json.loads(ask(self.socket, "GET", "/health")[1]), {"status": "ok"})

    def test_5_ends_when_told(self) -> None:
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.wait(STOP_SECONDS_MAX), 0, self.log.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
