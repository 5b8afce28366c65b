#!/bin/sh
# Installs Graphite's carbon from PyPI into target/rivals/carbon, once, and prints the path of its carbon-cache.py. Needs a network and
# a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/carbon"
if [ ! -e "$home/made" ]; then
    echo "installing carbon and whisper from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'carbon>=1.1.10' 'whisper>=1.1.10' setuptools >&2
    touch "$home/made"
fi
"$home/bin/python" -c 'import carbon, whisper'
echo "$home/bin/carbon-cache.py"
