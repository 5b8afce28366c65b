#!/bin/sh
# Installs gunicorn from PyPI, once, and prints the path of its program (see `virtualenv`).
set -eu
# The uwsgi protocol came with 24.
home=$("$(dirname "$0")/virtualenv" gunicorn 'gunicorn>=24')
"$home/bin/gunicorn" --version >/dev/null
echo "$home/bin/gunicorn"
