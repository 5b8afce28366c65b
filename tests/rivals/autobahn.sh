#!/bin/sh
# Installs the cases of Autobahn's test suite for websockets from PyPI, and its client, into target/rivals/autobahn, once, and
# prints the path of its python. The suite itself is of Python 2: `autobahn_cases.py` beside this makes modules of Python 3 of its cases.
# Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
home="${CARGO_TARGET_DIR:-$here/../../target}/rivals/autobahn"
if [ ! -e "$home/made" ]; then
    echo "installing autobahntestsuite from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    pip="$home/bin/python -m pip --quiet --disable-pip-version-check"
    # The client that the suite names, with a Twisted of today.
    $pip install 'autobahn[twisted]==0.10.9' 'setuptools<81' >&2
    $pip download --no-deps --no-binary autobahntestsuite -d "$home/suite" 'autobahntestsuite==25.10.1' >&2
    tar -xzf "$home"/suite/*.tar.gz -C "$home/suite"
    "$home/bin/python" "$here/autobahn_cases.py" convert "$home"/suite/*/autobahntestsuite/case "$home/cases/autobahncases" >&2
    touch "$home/made"
fi
"$home/bin/python" -c 'import autobahn.twisted.websocket'
echo "$home/bin/python"
