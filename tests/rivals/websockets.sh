#!/bin/sh
# Installs the package websockets from PyPI, a client, into target/rivals/websockets, once, and prints the path of its python.
# Needs a network and a python3 (from 3.10 on) with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/websockets"
if [ ! -e "$home/made" ]; then
    echo "installing websockets from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'websockets>=14' >&2
    touch "$home/made"
fi
"$home/bin/python" -c 'import websockets.sync.client'
echo "$home/bin/python"
