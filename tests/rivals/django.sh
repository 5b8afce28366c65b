#!/bin/sh
# Installs what the Django example needs from PyPI into target/rivals/django, once for each list of packages, with a
# database beside it, and prints the path of its python. Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3; it has to
# be the one that uWSGI was built for.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/django"
requirements="$root/examples/django/requirements.txt"
if ! cmp -s "$requirements" "$home/made-from"; then
    echo "installing Django from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements" >&2
    SECRET_KEY=measured DATABASE_PATH="$home/db.sqlite3" "$home/bin/python" "$root/examples/django/manage.py" migrate >&2
    cp "$requirements" "$home/made-from"
fi
"$home/bin/python" -c 'import django'
echo "$home/bin/python"
