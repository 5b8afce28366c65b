#!/bin/sh
# Installs Django and Flask-Caching from PyPI, once, and beside them Django's own tests of caches, as its source distribution has
# them (tests/cache). Prints the path of their python (see `virtualenv`).
set -eu
here=$(dirname "$0")
django="$(grep -i '^Django==' "$here/../../examples/django/requirements.txt")"
home=$("$here/virtualenv" caches "$django" Flask-Caching==2.5.1)
if [ ! -e "$home/tests-made" ]; then
    "$here/virtualenv" caches --source "$django" >&2
    tar --extract --gzip --strip-components=1 --wildcards --directory "$home" --file "$home"/source/[Dd]jango-*.tar.gz '*/tests/cache'
    touch "$home/tests-made"
fi
"$home/bin/python" -c 'import django, flask_caching'
echo "$home/bin/python"
