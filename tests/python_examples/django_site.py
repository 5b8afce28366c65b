"""The whole Django example as `make run` serves it: rhinod behind a real nginx, with Redis and Celery.

Started by tests/servers/python_examples.rs, which says in the environment where things are: `RHINOD` (the server to test) and
`VIRTUALENV` (made at the first run, shared by later ones). One instance serves all tests, in a directory of its own
and on a port that is free.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator
from pathlib import Path

from processes import await_that, descendants, is_alive, workers
from running_site import PROJECT, STOP_SECONDS_MAX, Site
from visitor import Visitor

CLIENTS = 16
WORKERS_MIN, WORKERS_MAX = 2, 10
COMMAND_SECONDS_MAX = 300

# Every line that these tests may leave in the server's log; two are Django's about requests that it refuses.
SERVER_LINES = re.compile(
    r"""\[pid:\ \d+\|
      | Forbidden\ \(CSRF\ cookie\ not\ set
      | Not\ Found:\ /no\ such/
      | \[warn\]\ .*:\ cheaper-initial\ =\ 2:\ without\ `cheaper`
      | \[warn\]\ .*:\ the\ application\ runs\ as\ root
      | \[warn\]\ .*myProject\.ini:\d+:\ socket\ =\ .*:\ only\ its\ owner\ may\ connect
      | rhinod\ [\d.]+\ \(pid\ \d+\)\ serves\ the\ Python\ module\ configuration\.wsgi:application,\ by\ (Python\ [\d.]+,\ )?the\ virtualenv
      | 2\ to\ 10\ workers\ with\ 1\ thread\ each
      | rhinod\ socket\ 0\ bound\ to\ 
      | generation\ \d\ loaded\ in\ 
      | ready\ to\ serve:\ 
      | spawned\ uWSGI\ worker\ \d+\ \(
      | reload:\ starting
      | reload\ done:\ generation\ 2\ serves
      | Respawned\ uWSGI\ worker\ \d+\ \(
      | uWSGI\ worker\ \d+\ cheaped
      | scaling:\ (grow|shrink)\ by\ \d+\ to\ \d+\ workers
      | graceful\ shutdown\ triggered
      | worker\ \d+\ buried\ after
      | goodbye\ to\ uWSGI
    """,
    re.VERBOSE,
)


class DjangoSite(unittest.TestCase):
    """The tests run in the order of their names; only the last one ends the instance."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = tempfile.TemporaryDirectory(prefix="rhinod-django-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.site = Site(Path(cls.directory.name))
        cls.addClassCleanup(cls.end)
        cls.site.await_readiness()

    @classmethod
    def end(cls) -> None:
        """Ends what a failed test has left; after the last test there is nothing to end."""
        if cls.site.process.poll() is None:
            cls.site.process.send_signal(signal.SIGINT)
            cls.site.process.wait(STOP_SECONDS_MAX)

    def setUp(self) -> None:
        self.visitor = Visitor(self.site.address)

    def test_01_two_workers_stand_by(self) -> None:
        await_that("2 workers", lambda: len(workers(self.site.master())) == WORKERS_MIN)

    def test_02_the_home_page_is_served(self) -> None:
        status, headers, page = self.visitor.get("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("Nobody has written yet.", page)

    def test_03_health_says_that_database_and_cache_answer(self) -> None:
        status, _, text = self.visitor.get("/health")
        self.assertEqual((status, text), (200, '{"database": "ok", "cache": "ok"}'))

    def test_04_an_entry_is_written_with_token_and_session_and_counted_by_celery(self) -> None:
        status, _, page = self.visitor.submit("/", name="Ada", message="The engine weaves patterns")
        self.assertEqual(status, 200)
        self.assertIn("You have written 1 entry.", page)
        self.assertEqual({cookie.name for cookie in self.visitor.cookies}, {"csrftoken", "sessionid"})
        await_that("the count of words on the page", lambda: "4 words" in self.visitor.get("/")[2])
        self.assertIn('value="Ada"', self.visitor.get("/")[2])
        self.assertNotIn("You have written", Visitor(self.site.address).get("/")[2])

    def test_05_a_form_without_the_token_is_refused(self) -> None:
        status, _, _ = self.visitor.post("/", name="Mallory", message="forged")
        self.assertEqual(status, 403)
        self.assertNotIn("Mallory", self.visitor.get("/")[2])

    def test_06_the_superuser_logs_in_and_sees_the_entry(self) -> None:
        form = {"username": "admin", "password": self.site.password(), "next": "/admin/guestbook/entry/"}
        status, _, page = self.visitor.submit("/admin/login/", **form)
        self.assertEqual(status, 200)
        self.assertIn("Select entry to change", page)
        self.assertIn("Ada", page)

    def test_07_a_wrong_password_does_not(self) -> None:
        _, _, page = self.visitor.submit("/admin/login/", username="admin", password="wrong", next="/admin/")
        self.assertIn("Please enter the correct username and password", page)

    def test_08_static_files_come_from_nginx_to_stay(self) -> None:
        name = re.search(r'href="(/static/guestbook/style\.[0-9a-f]{12}\.css)"', self.visitor.get("/")[2])[1]
        status, headers, text = self.visitor.get(name)
        self.assertEqual((status, headers.get_content_type()), (200, "text/css"))
        self.assertIn("immutable", ", ".join(headers.get_all("Cache-Control")))
        self.assertIn("max-width", text)
        self.assertEqual(self.visitor.get("/static/guestbook/none.css")[0], 404)
        self.assertFalse([line for line in self.site.log("server.log") if " /static/" in line])

    def test_09_figures_come_from_the_cache_whichever_worker_answers(self) -> None:
        pages = {self.visitor.get("/figures/")[2] for _ in range(20)}
        self.assertEqual(len(pages), 1)
        self.assertRegex(pages.pop(), r"<dt>Entries</dt><dd>1</dd>")

    def test_10_paths_and_queries_arrive_as_they_were_sent(self) -> None:
        status, _, _ = self.visitor.get("/no%20such/p%C3%A4ge?x=%2F")
        self.assertEqual(status, 404)
        line = "GET /no%20such/p%C3%A4ge?x=%2F => generated"
        await_that(line, lambda: any(line in entry for entry in self.site.log("server.log")))

    def test_11_ten_workers_come_under_load_and_go_again(self) -> None:
        with self.load("/wait/500/") as statuses:
            await_that("10 workers", lambda: len(workers(self.site.master())) == WORKERS_MAX)
        self.assertEqual(set(statuses), {200})
        await_that("2 workers again", lambda: len(workers(self.site.master())) == WORKERS_MIN)

    def test_12_a_reload_under_load_loses_no_request(self) -> None:
        master = self.site.master()
        command = [os.environ["RHINOD"], "--reload", str(self.site.base / "run" / "myProject.pid")]
        with self.load("/figures/", clients=4) as statuses:
            reload = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX)
        self.assertEqual((reload.returncode, reload.stdout), (0, "generation 2 serves\n"), reload.stderr)
        self.assertEqual(set(statuses), {200})
        self.assertEqual(self.site.master(), master)

    @contextlib.contextmanager
    def load(self, path: str, clients: int = CLIENTS) -> Iterator[list[int]]:
        """Visitors who ask for `path` again and again until the block ends; the statuses they got."""
        statuses, enough = [], threading.Event()

        def visit() -> None:
            visitor = Visitor(self.site.address)
            while not enough.is_set():
                statuses.append(visitor.get(path)[0])

        visitors = [threading.Thread(target=visit) for _ in range(clients)]
        for visitor in visitors:
            visitor.start()
        try:
            yield statuses
        finally:
            enough.set()
            for visitor in visitors:
                visitor.join()

    def test_13_a_second_run_py_leaves_the_directory_alone(self) -> None:
        command = [sys.executable, str(PROJECT / "run.py"), "--base", str(self.site.base)]
        second = subprocess.run(
            [*command, "--server", os.environ["RHINOD"]], capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX
        )
        self.assertEqual(second.returncode, 1)
        self.assertIn("another run.py is at work", second.stderr)
        self.assertEqual(self.visitor.get("/health")[0], 200)

    def test_14_the_project_passes_its_own_tests(self) -> None:
        command = [str(self.site.base / "venv" / "bin" / "python"), "manage.py", "test"]
        tests = subprocess.run(
            command,
            cwd=PROJECT,
            env=os.environ | {"DEBUG": "true"},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
        )
        self.assertEqual(tests.returncode, 0, tests.stderr)
        self.assertRegex(tests.stderr, r"(?m)^Ran [1-9]\d* tests")

    def test_15_ctrl_c_ends_everything_and_the_logs_are_clean(self) -> None:
        started = descendants(self.site.process.pid)
        self.assertIn(self.site.master(), started)
        self.site.process.send_signal(signal.SIGINT)
        self.assertEqual(self.site.process.wait(STOP_SECONDS_MAX), 0, self.site.output.read_text())
        self.assertTrue(self.site.output.read_text().endswith("Stopped.\n"))
        await_that("the end of every process", lambda: not any(is_alive(pid) for pid in started))
        self.assertEqual([line for line in self.site.log("server.log") if not SERVER_LINES.match(line)], [])
        self.assertEqual(self.site.log("nginx-error.log"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
