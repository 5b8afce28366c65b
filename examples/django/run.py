#!/usr/bin/env python3
"""Runs the Django example: Redis, Celery, the application server and nginx, until Ctrl-C.

`make run` calls it. The first start makes a virtualenv, the database and an administrator, in `venv` and `run` beside
this file; later ones find them there. Exit code 0 after Ctrl-C, 1 with a message when something cannot be done.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from deployment import machine, readiness, virtualenv
from deployment.failure import Failure
from deployment.instance import PROJECT, Instance
from deployment.services import Service, Supervisor, exit_code

PORT = 8080
PREPARE_SECONDS_MAX = 120
REPOSITORY = PROJECT.parent.parent


def main() -> int:
    """The whole life of an instance."""
    arguments = parsed_arguments()

    def work() -> None:
        server, instance = ready(arguments, arguments.venv, "nginx")
        serve(instance, server, chosen_port(arguments.port), arguments.attach_celery)

    return exit_code(work)


def ready(arguments: argparse.Namespace, venv: Path | None, front: str) -> tuple[str, Instance]:
    """The server to run and a prepared instance; the programs that both need are there, and the one in front of them."""
    virtualenv.check_python()
    server = chosen_server(arguments.server)
    machine.ensure_programs(front, "redis-server", "python3-venv")
    instance = Instance(arguments.base.resolve())
    fill_virtualenv(instance, venv)
    prepare(instance)
    return server, instance


def parsed_arguments() -> argparse.Namespace:
    """The command line; its help is the manual."""
    parser = argparse.ArgumentParser(description="Run the Django example behind nginx until Ctrl-C.")
    parser.add_argument("--port", type=int, help=f"where nginx listens; without it {PORT}, or the next that is free")
    parser.add_argument(
        "--base", type=Path, default=PROJECT, help="where run/ and venv/ go; without it the project's directory"
    )
    parser.add_argument("--server", help="rhinod, or a uwsgi to compare it with; without it the one from `make`")
    parser.add_argument(
        "--attach-celery", action="store_true", help="run Celery as a daemon of the server (withCelery.ini)"
    )
    parser.add_argument("--venv", type=Path, help="a virtualenv to share between instances; made if missing")
    return parser.parse_args()


def chosen_server(wanted: str | None) -> str:
    """The server asked for, by name or path; else the newest rhinod that was built here, else the one on PATH."""
    if wanted is not None:
        found = machine.program(wanted)
        if found is None:
            raise Failure(f"there is no program {wanted}")
        return os.path.abspath(found)
    built = [REPOSITORY / "target" / profile / "rhinod" for profile in ("release", "debug")]
    built = sorted((path for path in built if path.is_file()), key=lambda path: path.stat().st_mtime)
    found = str(built[-1]) if built else machine.program("rhinod")
    if found is None:
        raise Failure("there is no rhinod yet: `make build`, or name one with --server")
    return found


def fill_virtualenv(instance: Instance, shared: Path | None) -> None:
    """The virtualenv is where the ini's `home` says, or linked from there."""
    place = shared.resolve() if shared else instance.home
    virtualenv.ensure(place, PROJECT / "requirements.txt")
    if shared:
        virtualenv.link(instance.home, place)


def prepare(instance: Instance) -> None:
    """Migrations, static files, administrator: one process of `manage.py`."""
    environment = instance.environment() | {"ADMIN_PASSWORD": instance.secrets["ADMIN_PASSWORD"]}
    command = [str(instance.home / "bin" / "python"), "manage.py", "prepare"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, timeout=PREPARE_SECONDS_MAX, check=False
    )
    if done.returncode != 0:
        raise Failure(f"manage.py prepare ended with code {done.returncode}")


def chosen_port(wanted: int | None) -> int:
    """The port asked for; else the usual one or the next that is free, saying so."""
    if wanted is not None:
        return wanted
    port = machine.free_port(PORT)
    if port != PORT:
        print(f"Port {PORT} is taken, so this is on {port}.", flush=True)
    return port


def serve(instance: Instance, server: str, port: int, attach_celery: bool) -> None:
    """Starts the daemons, each when those it needs are ready, and stays until one ends or the user asks."""
    instance.write_nginx_conf(port)
    address = f"http://127.0.0.1:{port}"
    with Supervisor() as supervisor:
        for service in services(instance, server, address, attach_celery):
            supervisor.start(service)
        announce(instance, server, address)
        supervisor.watch()


def services(instance: Instance, server: str, address: str, attach_celery: bool) -> list[Service]:
    """The daemons in the order of their start. Celery is one of them, or the server's own."""
    redis, server_itself, nginx = daemons(
        instance, server, instance.ini_with_celery if attach_celery else instance.ini, address
    )
    # Pages need no Celery, so nothing waits for it; a task waits in Redis until it is up.
    celery = [] if attach_celery else [service(instance, "celery", celery_command(instance), ready=lambda: True)]
    return [redis, server_itself, *celery, nginx]


def daemons(instance: Instance, server: str, ini: Path, address: str) -> tuple[Service, Service, Service]:
    """What pages need: Redis, the server with its ini, and nginx."""
    redis_socket = str(instance.redis_socket)
    nginx = [str(machine.program("nginx")), "-c", str(instance.nginx_conf)]
    nginx += ["-e", str(instance.logs / "nginx-error.log")]
    return (
        service(instance, "redis", redis_command(instance), ready=lambda: readiness.redis_answers(redis_socket)),
        # The ini has no `chdir`: the server is started in the project's directory, and `module` is found there.
        service(
            instance,
            "server",
            [server, "--ini", str(ini)],
            ready=lambda: readiness.socket_accepts(instance.socket),
            stop_signal=signal.SIGINT,
        ),
        service(
            instance,
            "nginx",
            nginx,
            ready=lambda: readiness.page_is_good(f"{address}/health"),
            stop_signal=signal.SIGQUIT,
        ),
    )


def service(instance: Instance, name: str, command: list[str], **more: object) -> Service:
    """A daemon of an instance: in the project's directory, with the instance's environment, with a log of its own."""
    log = instance.logs / f"{name}.log"
    return Service(name, command, log, directory=PROJECT, environment=instance.environment(), **more)


def redis_command(instance: Instance) -> list[str]:
    """A Redis of this instance alone: on a unix socket, in memory, nothing written to disk."""
    socket = ["--port", "0", "--unixsocket", str(instance.redis_socket), "--unixsocketperm", "700"]
    return [str(machine.program("redis-server")), *socket, "--save", "", "--dir", str(instance.run)]


def celery_command(instance: Instance) -> list[str]:
    """One worker with two processes."""
    celery = str(instance.home / "bin" / "celery")
    return [celery, "--app", "configuration", "worker", "--concurrency", "2", "--loglevel", "INFO"]


def announce(instance: Instance, server: str, address: str) -> None:
    """What to open, with whose name, and where the logs are."""
    print(
        f"""
  Guest book  {address}/
  Admin page  {address}/admin/   admin, password {instance.secrets["ADMIN_PASSWORD"]}
  Health      {address}/health
  Load        for i in $(seq 16); do curl -s {address}/wait/2000/ & done; wait
  Logs        {os.path.relpath(instance.logs)}/   server: {server}

Ctrl-C stops everything.""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
