#!/bin/sh
# Installs uWSGI from PyPI, once, and prints the path of its binary (see `virtualenv`). Needs a C compiler and the headers of the
# python; with libpcre2-dev it knows routing rules.
set -eu
# A package that was built before, perhaps without PCRE, must not be taken.
home=$("$(dirname "$0")/virtualenv" uwsgi --no-cache-dir 'uwsgi>=2.0.30,<2.1')
"$home/bin/uwsgi" --version >/dev/null
echo "$home/bin/uwsgi"
