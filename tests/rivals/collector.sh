#!/bin/sh
# Installs rotel, a collector of OpenTelemetry's, from PyPI into target/rivals/collector, once, and prints the path of its program. Needs a
# network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/collector"
if [ ! -e "$home/made" ]; then
    echo "installing rotel from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check --pre --only-binary :all: 'rotel>=0.0.1a15' >&2
    touch "$home/made"
fi
program=$("$home/bin/python" -c 'import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), "rotel-agent"))')
"$program" --version >&2
echo "$program"
