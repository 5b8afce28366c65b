#!/usr/bin/env python3
"""Runs the Django example three times behind HAProxy, with one Redis and one database, until Ctrl-C.

`make run-cluster` calls it. The virtualenv, the database and the administrator are those of the Django example. An instance
that ends by itself, or is killed, is started again after a second, as systemd would. Exit code 0 after Ctrl-C, 1 with a
message when something cannot be done.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DJANGO = HERE.parent / "django"
sys.path.insert(0, str(DJANGO))

import run as site  # noqa: E402
from deployment import machine, readiness  # noqa: E402
from deployment.instance import PROJECT, Instance, filled  # noqa: E402
from deployment.services import Service, Supervisor, exit_code  # noqa: E402

PORT = 8080
NODES = 3
AGAIN_SECONDS = 1


@dataclass(frozen=True)
class Node:
    """One instance of the site: where it listens, and where it tells of itself."""

    name: str
    port: int
    health: int
    agent: int

    def haproxy_line(self) -> str:
        """What HAProxy is told of it."""
        return (
            f"    server {self.name} 127.0.0.1:{self.port} port {self.health}"
            f" agent-addr 127.0.0.1 agent-port {self.agent}"
        )


class Cluster(Supervisor):
    """A supervisor that starts nodes again. Everything else ends with the first that ends."""

    def handle(self, information: signal.struct_siginfo | None) -> None:
        """Puts another process in the place of a node's that has ended; the rest is as for every supervisor."""
        for place, (service, process) in enumerate(self.running):
            if service.name.startswith("node") and process.poll() is not None:
                print(f"{service.name} has ended and is started again", flush=True)
                threading.Event().wait(AGAIN_SECONDS)
                self.running[place] = (service, self.spawn(service))
        super().handle(information)


def main() -> int:
    """The whole life of a cluster."""
    parser = argparse.ArgumentParser(description="Run the Django example three times behind HAProxy until Ctrl-C.")
    parser.add_argument("--port", type=int, help=f"where HAProxy listens; without it {PORT}, or the next that is free")
    parser.add_argument("--base", type=Path, default=PROJECT, help="where run/ and venv/ go")
    parser.add_argument("--server", help="the rhinod to run; without it the one from `make`")
    arguments = parser.parse_args()

    def work() -> None:
        server, instance = site.ready(arguments, None, "haproxy")
        serve(instance, server, arguments.port or machine.free_port(PORT))

    return exit_code(work)


def serve(instance: Instance, server: str, port: int) -> None:
    """Starts Redis, the nodes and HAProxy, and stays until the user asks for the end."""
    nodes = chosen_nodes(port + 1)
    configuration = instance.run / "haproxy.cfg"
    lines = "\n".join(node.haproxy_line() for node in nodes)
    template = HERE / "haproxy.cfg.template"
    configuration.write_text(filled(template, run=str(instance.run), port=str(port), nodes=lines))
    address = f"http://127.0.0.1:{port}"

    def service(name: str, command: list[str], **more: object) -> Service:
        return site.service(instance, name, command, **more)

    redis = str(instance.redis_socket)
    with Cluster() as cluster:
        cluster.start(service("redis", site.redis_command(instance), ready=lambda: readiness.redis_answers(redis)))
        for node in nodes:
            ready = f"http://127.0.0.1:{node.health}/readyz"
            command = [server, "--ini", str(written(instance, node))]
            stops = {"stop_signal": signal.SIGINT}
            cluster.start(service(node.name, command, ready=lambda: readiness.page_is_good(ready), **stops))
        command = [str(machine.program("haproxy")), "-f", str(configuration)]
        ready = lambda: readiness.page_is_good(f"{address}/health")  # noqa: E731
        cluster.start(service("haproxy", command, ready=ready, stop_signal=signal.SIGUSR1))
        announce(instance, nodes, address, cluster)
        cluster.watch()


def chosen_nodes(first: int) -> list[Node]:
    """Three ports for each of three nodes."""
    nodes = []
    for number in range(1, NODES + 1):
        ports = []
        for _ in range(3):
            ports.append(machine.free_port(first))
            first = ports[-1] + 1
        nodes.append(Node(f"node{number}", *ports))
    return nodes


def written(instance: Instance, node: Node) -> Path:
    """The ini file of a node."""
    path = instance.run / f"{node.name}.ini"
    numbers = {"port": str(node.port), "health": str(node.health), "agent": str(node.agent)}
    path.write_text(filled(HERE / "node.ini.template", project=str(PROJECT), base=str(instance.run.parent), **numbers))
    return path


def announce(instance: Instance, nodes: list[Node], address: str, cluster: Cluster) -> None:
    """What to open, and what to try."""
    pids = {service.name: process.pid for service, process in cluster.running}
    told = "\n".join(f"  {node.name}       http://127.0.0.1:{node.health}/   pid {pids[node.name]}" for node in nodes)
    print(
        f"""
  Guest book  {address}/
{told}
  Try         kill -9 {pids[nodes[0].name]}   while true; do curl -s -o /dev/null -w '%{{http_code}} ' {address}/hello; done
  Logs        {os.path.relpath(instance.logs)}/

Ctrl-C stops everything.""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
