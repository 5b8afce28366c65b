#!/bin/sh
# Installs gunicorn from PyPI into target/rivals/gunicorn, once, and prints the path of its program.
# Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/gunicorn"
binary="$home/bin/gunicorn"
if [ ! -x "$binary" ]; then
    echo "installing gunicorn from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv "$home" >&2
    # The uwsgi protocol came with 24.
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'gunicorn>=24' >&2
fi
"$binary" --version >/dev/null
echo "$binary"
