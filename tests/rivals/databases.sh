#!/bin/sh
# Installs Django and PostgreSQL's driver with its pool from PyPI into target/rivals/databases, once. Prints the path of its
# python. Needs a network and a python3 with venv.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/databases"
django="$(grep -i '^Django==' "$root/examples/django/requirements.txt")"
packages="$django psycopg[binary,pool]==3.3.9 psycopg-pool==3.3.3"
if [ "$(cat "$home/made-from" 2>/dev/null)" != "$packages" ]; then
    echo "installing Django and psycopg from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    # shellcheck disable=SC2086  # three words
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check $packages >&2
    echo "$packages" >"$home/made-from"
fi
"$home/bin/python" -c 'import django, psycopg, psycopg_pool'
echo "$home/bin/python"
