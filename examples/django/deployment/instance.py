"""The directory of one instance: secrets, filled templates, the environment of its processes.

base/                    the project's own directory, unless --base says otherwise
├── venv/                where the ini's `home` says
└── run/
    ├── environment      secrets made at the first start; only the owner may read it
    ├── myProject.ini    the filled template
    ├── withCelery.ini   the same with Celery as a daemon of the server
    ├── nginx.conf
    ├── static/  log/  nginx/
    └── db.sqlite3  redis.sock  myProject.sock  myProject.pid  nginx.pid  lock
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

from deployment.failure import Failure

PROJECT = Path(__file__).resolve().parent.parent
# `sun_path` of a unix socket holds 108 bytes, the last of them zero (unix(7)).
SOCKET_PATH_BYTES_MAX = 107


class Instance:
    """One directory that belongs to this process as long as it lives."""

    def __init__(self, base: Path) -> None:
        self.run = base / "run"
        self.ini = self.run / "myProject.ini"
        self.ini_with_celery = self.run / "withCelery.ini"
        self.nginx_conf = self.run / "nginx.conf"
        self.redis_socket = self.run / "redis.sock"
        self.logs = self.run / "log"
        for directory in (self.logs, self.run / "nginx", self.run / "static"):
            directory.mkdir(parents=True, exist_ok=True)
        self.lock = claim(self.run / "lock")
        self.secrets = secrets_of(self.run / "environment")
        self.ini.write_text(filled(PROJECT / "myProject.ini.template", base=str(base)))
        self.ini_with_celery.write_text(filled(PROJECT / "withCelery.ini.template", base=str(base)))
        self.home = Path(self.option("home"))
        self.socket = self.option("socket")
        for path in (self.socket, str(self.redis_socket)):
            if len(path.encode()) > SOCKET_PATH_BYTES_MAX:
                raise Failure(f"{path} is too long for a unix socket; choose a shorter directory with --base")

    def option(self, name: str) -> str:
        """The value of an option as it stands in the ini."""
        for line in self.ini.read_text().splitlines():
            key, separator, value = line.partition("=")
            if separator and key.strip() == name:
                return value.strip()
        raise Failure(f"{self.ini} has no {name}")

    def write_nginx_conf(self, port: int) -> None:
        """Fills the template. As root nginx would change to a user that may not read this directory."""
        user_line = "user root;" if os.geteuid() == 0 else ""
        text = filled(
            PROJECT / "nginx.conf.template", run=str(self.run), socket=self.socket, port=str(port), user_line=user_line
        )
        self.nginx_conf.write_text(text)

    def environment(self) -> dict[str, str]:
        """What server, Celery and `manage.py` find in their environment."""
        return os.environ | {
            "SECRET_KEY": self.secrets["SECRET_KEY"],
            "DATABASE_PATH": str(self.run / "db.sqlite3"),
            "CACHE_URL": f"unix://{self.redis_socket}?db=1",
            "BROKER_URL": f"redis+socket://{self.redis_socket}",
            "STATIC_ROOT": str(self.run / "static"),
        }


def claim(path: Path) -> IO[str]:
    """An exclusive lock on the directory: two instances in one would take each other's sockets away."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure(f"another run.py is at work in {path.parent}; stop it, or choose another --base") from None
    return file


def secrets_of(path: Path) -> dict[str, str]:
    """The secrets in `path`, made at the first start."""
    if not path.exists():
        made = {"SECRET_KEY": secrets.token_urlsafe(48), "ADMIN_PASSWORD": secrets.token_urlsafe(12)}
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in made.items())
        draft.rename(path)
    lines = path.read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    for name in ("SECRET_KEY", "ADMIN_PASSWORD"):
        if not found.get(name):
            raise Failure(f"{path} has no {name}; remove the file and the database beside it to begin anew")
    return found


def filled(template: Path, **values: str) -> str:
    """The text of a template with each `{{ name }}` replaced; one that nobody replaces is a mistake."""
    text = template.read_text()
    for name, value in values.items():
        text = text.replace("{{ " + name + " }}", value)
    if "{{" in text:
        raise Failure(f"{template} names something that run.py does not fill in")
    return text
