#!/bin/sh
# Installs Django and Flask-Caching from PyPI into target/rivals/caches, once, and beside them Django's own tests of caches, as
# its source distribution has them (tests/cache). Prints the path of its python. Needs a network and a python3 with venv.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/caches"
django="$(grep -i '^Django==' "$root/examples/django/requirements.txt")"
packages="$django Flask-Caching==2.5.1"
if [ "$(cat "$home/made-from" 2>/dev/null)" != "$packages" ]; then
    echo "installing Django, its tests and Flask-Caching from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    # shellcheck disable=SC2086  # two words
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check $packages >&2
    "$home/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary django \
        --dest "$home" "$django" >&2
    tar --extract --gzip --strip-components=1 --wildcards --directory "$home" --file "$home"/[Dd]jango-*.tar.gz '*/tests/cache'
    echo "$packages" >"$home/made-from"
fi
"$home/bin/python" -c 'import django, flask_caching'
echo "$home/bin/python"
