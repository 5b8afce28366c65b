#!/bin/sh
# Installs uWSGI from PyPI into target/rivals/uwsgi, once, and prints the path of its binary.
# Needs a network, a C compiler, and a python3 with its headers and venv; with libpcre2-dev it knows routing rules.
# RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/uwsgi"
binary="$home/bin/uwsgi"
if [ ! -x "$binary" ]; then
    echo "installing uWSGI from PyPI into $home (a few minutes, once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv "$home" >&2
    # A package that was built before, perhaps without PCRE, must not be taken.
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir 'uwsgi>=2.0.30,<2.1' >&2
fi
"$binary" --version >/dev/null
echo "$binary"
