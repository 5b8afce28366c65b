#!/bin/sh
# Installs the package websockets from PyPI, a client, once, and prints the path of its python (see `virtualenv`), which must be one
# from 3.10 on.
set -eu
home=$("$(dirname "$0")/virtualenv" websockets 'websockets>=14')
"$home/bin/python" -c 'import websockets.sync.client'
echo "$home/bin/python"
