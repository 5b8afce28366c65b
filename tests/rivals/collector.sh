#!/bin/sh
# Installs rotel, a collector of OpenTelemetry's, from PyPI, once, and prints the path of its program (see `virtualenv`).
set -eu
home=$("$(dirname "$0")/virtualenv" collector --pre --only-binary :all: 'rotel>=0.0.1a15')
program=$("$home/bin/python" -c 'import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), "rotel-agent"))')
"$program" --version >&2
echo "$program"
