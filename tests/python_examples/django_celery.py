"""The Django example with Celery as a daemon of the server (`attach-daemon`), a real Redis between them.

Started by tests/servers/python_examples.rs, as `django_site.py`. One instance serves all tests.
"""

import os
import signal
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

from processes import await_that, children, descendants, is_alive
from running_site import STOP_SECONDS_MAX, Site
from visitor import Visitor

COMMAND_SECONDS_MAX = 300
# Other words than these tell that the log of the server has something that nobody expects.
UNEXPECTED = ("Traceback", "[error]", "DAMN", "did not die in time", "WorkerLostError")


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class DjangoCelery(unittest.TestCase):
    """The tests run in the order of their names; only the last one ends the instance."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory(prefix="rhinod-celery-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.site = Site(Path(cls.directory.name), "--attach-celery")
        cls.addClassCleanup(cls.end)
        cls.site.await_readiness()

    @classmethod
    def end(cls) -> None:
        """Ends what a failed test has left; after the last test there is nothing to end."""
        if cls.site.process.poll() is None:
            cls.site.process.send_signal(signal.SIGINT)
            cls.site.process.wait(STOP_SECONDS_MAX)

    def celery(self) -> int:
        """The process of Celery among the children of the server, once it is there."""
        is_celery = lambda pid: "celery --app configuration worker" in command_of(pid)
        found = await_that("Celery", lambda: [pid for pid in children(self.site.master()) if is_celery(pid)])
        self.assertEqual(len(found), 1)
        return found[0]

    def said(self, text: str) -> int:
        """How often the log of the server has this text."""
        return sum(text in line for line in self.site.log("server.log"))

    def test_01_celery_is_a_child_of_the_server(self) -> None:
        self.assertFalse((self.site.base / "run" / "log" / "celery.log").exists())
        self.assertNotIn(self.celery(), children(self.site.process.pid))
        await_that("Celery's word in the server's log", lambda: self.said("ready."))

    def test_02_an_entry_is_counted(self) -> None:
        status, _, _ = Visitor(self.site.address).submit("/", name="Ada", message="The engine weaves patterns")
        self.assertEqual(status, 200)
        await_that("the count of words", lambda: "4 words" in Visitor(self.site.address).get("/")[2])
        self.assertTrue(self.said("Task guestbook.tasks.count_words"))

    def test_03_a_celery_that_is_killed_comes_again(self) -> None:
        before = self.celery()
        pool = descendants(before)
        os.kill(before, signal.SIGKILL)
        await_that("another Celery", lambda: before not in children(self.site.master()) and self.celery() != before)
        await_that("the end of the old pool", lambda: not any(is_alive(pid) for pid in pool))
        Visitor(self.site.address).submit("/", name="Grace", message="A moth in the relay")
        await_that("the count of words", lambda: "5 words" in Visitor(self.site.address).get("/")[2])

    def test_04_a_reload_lets_celery_finish_its_task_and_brings_the_next_one(self) -> None:
        before = self.celery()
        await_that("Celery", lambda: self.said("ready.") >= 2)
        database = sqlite3.connect(self.site.base / "run" / "db.sqlite3", isolation_level=None)
        self.addCleanup(database.close)
        database.execute("UPDATE guestbook_entry SET word_count = NULL")
        received = self.said("received")
        # The task cannot store what it has counted before this is over.
        database.execute("BEGIN IMMEDIATE")
        self.enqueue("count_words.delay(1)")
        await_that("the task", lambda: self.said("received") > received)
        command = [os.environ["RHINOD"], "--reload", str(self.site.base / "run" / "myProject.pid")]
        reload = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX)
        self.assertEqual((reload.returncode, reload.stdout), (0, "generation 2 serves\n"), reload.stderr)
        await_that("a warm shutdown", lambda: self.said("Warm shutdown"))
        self.assertTrue(is_alive(before))
        database.execute("ROLLBACK")
        count = lambda: database.execute("SELECT word_count FROM guestbook_entry WHERE id = 1").fetchone()[0]
        await_that("the count of words", lambda: count() == 4)
        await_that("another Celery", lambda: not is_alive(before) and self.celery() != before)

    def enqueue(self, call: str) -> None:
        """Puts a task into the queue, as a process of the site's would."""
        environment = dict(
            entry.split("=", 1)
            for entry in Path(f"/proc/{self.site.master()}/environ").read_bytes().decode().split("\0")
            if "=" in entry
        )
        text = f"from guestbook.tasks import count_words; {call}"
        done = subprocess.run(
            [str(self.site.base / "venv" / "bin" / "python"), "manage.py", "shell", "--no-imports", "-c", text],
            cwd=Path(f"/proc/{self.site.master()}/cwd").resolve(),
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
        )
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_05_the_end_of_the_server_is_that_of_celery_and_the_log_is_clean(self) -> None:
        await_that("Celery", lambda: self.said("ready.") >= 3)
        started = descendants(self.site.process.pid)
        self.assertIn(self.celery(), started)
        self.site.process.send_signal(signal.SIGINT)
        self.assertEqual(self.site.process.wait(STOP_SECONDS_MAX), 0, self.site.output.read_text())
        await_that("the end of every process", lambda: not any(is_alive(pid) for pid in started))
        self.assertEqual(self.said("Warm shutdown"), 2)
        log = self.site.log("server.log")
        self.assertEqual([line for line in log if any(word in line for word in UNEXPECTED)], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
