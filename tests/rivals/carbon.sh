#!/bin/sh
# Installs Graphite's carbon from PyPI, once, and prints the path of its carbon-cache.py (see `virtualenv`).
set -eu
home=$("$(dirname "$0")/virtualenv" carbon 'carbon>=1.1.10' 'whisper>=1.1.10' setuptools)
"$home/bin/python" -c 'import carbon, whisper'
echo "$home/bin/carbon-cache.py"
