#!/usr/bin/env python3
"""Deploys three releases of the Django site behind nginx, under load, with a canary each, and tells what became of them.

`make canary-demo` calls it. The virtualenv and the database are those of the Django example. Exit code 0 when the good
release took over and the others were refused, 1 with a message otherwise.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DJANGO = HERE.parent / "django"
sys.path.insert(0, str(DJANGO))

import run as site  # noqa: E402
from deployment import machine  # noqa: E402
from deployment.failure import Failure  # noqa: E402
from deployment.instance import PROJECT, Instance, filled  # noqa: E402
from deployment.services import WATCHED, Supervisor, exit_code  # noqa: E402
from visitors import Counts, Visitors  # noqa: E402

PORT = 8080
TRIAL_SECONDS = 10
TRIAL_REQUESTS = 200
# sysexits(3): what `rhinod reload` ends with when the new generation is refused.
REFUSED = 75
CHECK_SECONDS = 0.05


@dataclass(frozen=True)
class Deployment:
    """A release, what it does, and whether it is to take over."""

    release: str
    does: str
    takes_over: bool


DEPLOYMENTS = [
    Deployment("good", "does what it should", takes_over=True),
    Deployment("failing", "fails at one request in five", takes_over=False),
    Deployment("slow", "takes three times as long", takes_over=False),
]


def main() -> int:
    """All deployments, one after the other."""
    arguments = parsed_arguments()

    def work() -> None:
        server, instance = site.ready(arguments, arguments.venv, "nginx")
        demonstrate(instance, server, site.chosen_port(arguments.port), arguments.seconds)

    return exit_code(work)


def parsed_arguments() -> argparse.Namespace:
    """The command line; its help is the manual."""
    parser = argparse.ArgumentParser(description="Deploy a good, a failing and a slow release, each with a canary.")
    parser.add_argument("--port", type=int, help=f"where nginx listens; without it {PORT}, or the next that is free")
    parser.add_argument("--base", type=Path, default=PROJECT, help="where run/ and venv/ go")
    parser.add_argument("--server", help="the rhinod to run; without it the one from `make`")
    parser.add_argument("--venv", type=Path, help="a virtualenv to share between instances; made if missing")
    parser.add_argument(
        "--seconds", type=int, default=TRIAL_SECONDS, help=f"of each trial; without it {TRIAL_SECONDS}"
    )
    return parser.parse_args()


def demonstrate(instance: Instance, server: str, port: int, seconds: int) -> None:
    """Starts the site as it was before, and deploys. `Failure` when a release does not end as it should."""
    switch(instance, "good")
    ini = instance.run / "canary.ini"
    places = {"base": str(instance.run.parent), "project": str(PROJECT), "here": str(HERE)}
    numbers = {"seconds": str(seconds), "requests": str(TRIAL_REQUESTS)}
    ini.write_text(filled(HERE / "site.ini.template", **places, **numbers))
    instance.write_nginx_conf(port)
    with Supervisor() as supervisor:
        for service in site.daemons(instance, server, ini, f"http://127.0.0.1:{port}"):
            supervisor.start(service)
        print(f"The site answers at http://127.0.0.1:{port}/ and has visitors.", flush=True)
        with Visitors(port) as visitors:
            surprises = [one.release for one in DEPLOYMENTS if not deploy(instance, server, one, supervisor, visitors)]
    if surprises:
        raise Failure(f"not as it should be: {', '.join(surprises)}")


def switch(instance: Instance, release: str) -> None:
    """Makes the link lead to a release, at one moment."""
    link, draft = instance.run / "release", instance.run / "release.draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(HERE / "releases" / release)
    draft.rename(link)


def deploy(
    instance: Instance, server: str, deployment: Deployment, supervisor: Supervisor, visitors: Visitors
) -> bool:
    """Deploys a release, as an operator would, and prints what became of it. Whether that was as it should be."""
    before = wait_for_visitors(supervisor, visitors)
    switch(instance, deployment.release)
    command = [server, "reload", str(instance.run / "canary.pid")]
    started = time.monotonic()
    visitors.take(before)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    on_trial = False
    while process.poll() is None:
        supervisor.handle(signal.sigtimedwait(WATCHED, CHECK_SECONDS))
        if not on_trial and visitors.newest() > before:
            # What was counted while it loaded says nothing of its share.
            visitors.take(before)
            on_trial = True
    took, said = time.monotonic() - started, process.communicate()[0].decode(errors="replace")
    if process.returncode not in (0, REFUSED):
        raise Failure(f"{' '.join(command)} ended with code {process.returncode}:\n{said}")
    counts = visitors.take(before)
    took_over = process.returncode == 0
    print(told(deployment, took_over, took, counts, said), flush=True)
    lost = counts.errors if deployment.takes_over else 0
    return took_over == deployment.takes_over and lost == 0


def wait_for_visitors(supervisor: Supervisor, visitors: Visitors) -> int:
    """Waits until visitors have had answers. The newest generation that gave one."""
    while visitors.newest() == 0:
        supervisor.handle(signal.sigtimedwait(WATCHED, CHECK_SECONDS))
    return visitors.newest()


def told(deployment: Deployment, took_over: bool, took: float, counts: Counts, said: str) -> str:
    """What became of a deployment, for people."""
    outcome = "took over" if took_over else "was refused"
    reason = said.strip().replace("\n", "\n    ")
    return f"""
{deployment.release}: a release that {deployment.does}
    {outcome} after {took:.1f} s
    of {counts.answers} answers until then it gave {counts.by_newest} ({percent(counts.by_newest, counts.answers)})
    errors that visitors met: {counts.errors} ({percent(counts.errors, counts.answers)})
    {reason}"""


def percent(part: int, whole: int) -> str:
    """A share for people."""
    return f"{100 * part / max(whole, 1):.1f} %"


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
