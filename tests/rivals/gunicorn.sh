#!/bin/sh
# Installs gunicorn from PyPI into target/rivals/gunicorn, once, and prints the path of its program.
# What pip says goes to standard error. $PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")/../.."
home=$PWD/target/rivals/gunicorn
if [ ! -x "$home/bin/gunicorn" ]; then
    rm -rf "$home"
    "${PYTHON:-python3}" -m venv "$home" >&2
    "$home/bin/pip" install --quiet --disable-pip-version-check 'gunicorn>=25' >&2
fi
echo "$home/bin/gunicorn"
