#!/bin/sh
# Installs the packages of the Django and Flask examples from PyPI into target/rivals/frameworks, once for each list of
# packages, with a database for the former, and prints the path of its python. Needs a network and a python3 with venv.
# RHINOD_RIVAL_PYTHON names another python3; it has to be the one that uWSGI was built for.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/frameworks"
django="$root/examples/django/requirements.txt"
flask="$root/examples/flask/requirements.txt"
if ! cat "$django" "$flask" | cmp -s - "$home/made-from"; then
    echo "installing Django and Flask from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$django" -r "$flask" >&2
    SECRET_KEY=measured DATABASE_PATH="$home/db.sqlite3" \
        "$home/bin/python" "$root/examples/django/manage.py" migrate --verbosity 0 >&2
    cat "$django" "$flask" >"$home/made-from"
fi
"$home/bin/python" -c 'import django, werkzeug'
echo "$home/bin/python"
