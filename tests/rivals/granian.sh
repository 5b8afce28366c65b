#!/bin/sh
# Installs granian from PyPI into target/rivals/granian, once, and prints the path of its program.
# Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/granian"
binary="$home/bin/granian"
if [ ! -x "$binary" ]; then
    echo "installing granian from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'granian>=2' >&2
fi
"$binary" --version >/dev/null
echo "$binary"
