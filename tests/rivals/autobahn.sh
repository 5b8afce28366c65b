#!/bin/sh
# Installs the cases of Autobahn's test suite for websockets from PyPI, and its client, once, and prints the path of its python (see
# `virtualenv`). The suite itself is of Python 2: `autobahn_cases.py` beside this makes modules of Python 3 of its cases.
set -eu
here=$(dirname "$0")
# The client that the suite names, with a Twisted of today, and what it has for computing fast.
home=$("$here/virtualenv" autobahn 'autobahn[twisted]==0.10.9' 'setuptools<81' wsaccel==0.6.7)
if [ ! -e "$home/cases/made" ]; then
    "$here/virtualenv" autobahn --source autobahntestsuite==25.10.1 >&2
    tar -xzf "$home"/source/*.tar.gz -C "$home/source"
    "$home/bin/python" "$here/autobahn_cases.py" convert "$home"/source/*/autobahntestsuite/case "$home/cases/autobahncases" >&2
    touch "$home/cases/made"
fi
"$home/bin/python" -c 'import autobahn.twisted.websocket'
echo "$home/bin/python"
