"""Programs of the system: finds them, and installs Debian's packages where they are missing and it may.

For nginx, Redis and Python's venv only; what pip installs is `deployment/virtualenv.py`'s business.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess

from deployment.failure import Failure

# Daemons are in /usr/sbin, which is not on everybody's PATH.
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
INSTALL_SECONDS_MAX = 600
PORTS_TRIED = 20


def program(name: str) -> str | None:
    """The full path of a program, or nothing."""
    return shutil.which(name, path=SEARCHED)


def ensure_programs() -> None:
    """After this nginx, redis-server and venv are there; otherwise `Failure` names the packages."""
    missing = missing_packages()
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or program("apt-get") is None:
        hint = "as root: " + " ".join(command) if program("apt-get") else "with your system's package manager"
        raise Failure(f"missing: {', '.join(missing)} (Debian's names). Install them {hint}")
    print(f"Missing: {', '.join(missing)}. Installing with apt-get.", flush=True)
    install(command)
    still = missing_packages()
    if still:
        raise Failure(f"apt-get ended well, but there is still no {', '.join(still)}")


def missing_packages() -> list[str]:
    """Debian's names of what is missing."""
    wanted = [
        ("nginx", program("nginx") is not None),
        ("redis-server", program("redis-server") is not None),
        ("python3-venv", importlib.util.find_spec("ensurepip") is not None),
    ]
    return [package for package, found in wanted if not found]


def install(command: list[str]) -> None:
    """Runs apt-get, after an update of its lists."""
    surroundings = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for step in (["apt-get", "update"], command):
        done = subprocess.run(
            step, env=surroundings, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS_MAX, check=False
        )
        if done.returncode != 0:
            raise Failure(f"{' '.join(step)} ended with code {done.returncode}")


def free_port(first: int) -> int:
    """The first port from `first` on that nothing listens on."""
    for port in range(first, first + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failure(f"ports {first} to {first + PORTS_TRIED - 1} of 127.0.0.1 are all taken")
