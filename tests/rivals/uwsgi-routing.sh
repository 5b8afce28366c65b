#!/bin/sh
# The uWSGI of uwsgi.sh, if it was built with PCRE: without that it has no routing rules at all. Prints the path of its
# binary.
set -eu
binary=$("$(dirname "$0")/uwsgi.sh")
if ! "$binary" --help | grep -q -- --route-run; then
    echo "$binary was built without PCRE: install libpcre2-dev, and remove $(dirname "$(dirname "$binary")")" >&2
    exit 1
fi
echo "$binary"
