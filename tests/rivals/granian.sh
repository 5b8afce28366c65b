#!/bin/sh
# Installs granian from PyPI, once, and prints the path of its program (see `virtualenv`).
set -eu
home=$("$(dirname "$0")/virtualenv" granian 'granian>=2')
"$home/bin/granian" --version >/dev/null
echo "$home/bin/granian"
