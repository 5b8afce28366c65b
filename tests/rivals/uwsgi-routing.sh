#!/bin/sh
# Installs uWSGI from PyPI, built with PCRE, into target/rivals/uwsgi-routing, once, and prints the path of its binary:
# without PCRE uWSGI has no routing rules at all. Needs what uwsgi.sh needs, and libpcre2-dev.
# RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/uwsgi-routing"
binary="$home/bin/uwsgi"
if [ ! -x "$binary" ]; then
    if ! command -v pcre2-config >/dev/null; then
        echo "pcre2-config is not there: install libpcre2-dev" >&2
        exit 1
    fi
    echo "installing uWSGI with PCRE from PyPI into $home (a few minutes, once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv "$home" >&2
    # A package that was built before, without PCRE, must not be taken.
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir 'uwsgi>=2.0.30,<2.1' >&2
fi
"$binary" --help | grep -q -- --route-run
echo "$binary"
