"""Makes the virtualenv and fills it with the packages of `requirements.txt`.

A virtualenv that was made from the same list with the same Python is used as it is, so that a second start is fast.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deployment.failure import Failure

PYTHON_MIN = (3, 10)
MAKE_SECONDS_MAX = 600


def check_python() -> None:
    """`Failure` when the interpreter that runs this is too old for the packages."""
    if sys.version_info < PYTHON_MIN:
        wanted = ".".join(str(number) for number in PYTHON_MIN)
        raise Failure(f"Django 5.2 needs Python {wanted} or later; this is {sys.version.split()[0]} ({sys.executable})")


def ensure(place: Path, requirements: Path) -> None:
    """After this `place` holds the packages. Several callers may ask for the same place: one makes it, all wait."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name(place.name + ".lock")):
        mark = place / "made-from"
        recipe = f"{sys.version}\n{sys.base_prefix}\n{requirements.read_text()}"
        if mark.is_file() and mark.read_text() == recipe:
            return
        print(f"Making the virtualenv {place} (once; packages from PyPI).", flush=True)
        make([sys.executable, "-m", "venv", "--clear", str(place)])
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        make([*pip, "--no-deps", "--requirement", str(requirements)])
        make([*pip[:3], "check"])
        mark.write_text(recipe)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path`, waiting for whoever holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(command: list[str]) -> None:
    """Runs one step; `Failure` names it, and says what it said."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=MAKE_SECONDS_MAX, check=False
    )
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with code {done.returncode}\n{done.stdout}".rstrip())


def link(home: Path, place: Path) -> None:
    """Lets `home`, the path the ini names, lead to the virtualenv at `place`."""
    if home.is_symlink():
        home.unlink()
    elif home.exists():
        raise Failure(f"{home} is a virtualenv of its own; remove it to use {place} instead")
    home.symlink_to(place, target_is_directory=True)
