"""Programs of the system: finds them, and has Debian's packages installed where they are missing and it may.

What pip installs is `deployment/virtualenv.py`'s business.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from deployment.failure import Failure

# Daemons are in /usr/sbin, which is not on everybody's PATH.
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
NEED_PROGRAMS = Path(__file__).resolve().parents[2] / "need-programs"
# Its own patience is with another installation, and comes before this one.
INSTALL_SECONDS_MAX = 1200
PORTS_TRIED = 20


def program(name: str) -> str | None:
    """The full path of a program, or nothing."""
    return shutil.which(name, path=SEARCHED)


def ensure_programs(*names: str) -> None:
    """After this Debian's packages of these names are there; otherwise `Failure`, after the script has said why."""
    command = [str(NEED_PROGRAMS), *names]
    surroundings = os.environ | {"PATH": SEARCHED, "PYTHON": sys.executable}
    done = subprocess.run(
        command, env=surroundings, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS_MAX, check=False
    )
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with code {done.returncode}")


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
