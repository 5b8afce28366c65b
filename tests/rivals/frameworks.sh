#!/bin/sh
# Installs the packages of the Django and Flask examples from PyPI, once for each list of packages, with a database for the former,
# and prints the path of their python (see `virtualenv`), which has to be of the version that uWSGI was built for.
set -eu
here=$(dirname "$0")
examples="$here/../../examples"
home=$("$here/virtualenv" frameworks -r "$examples/django/requirements.txt" -r "$examples/flask/requirements.txt")
if [ ! -e "$home/migrated" ]; then
    SECRET_KEY=measured DATABASE_PATH="$home/db.sqlite3" "$home/bin/python" "$examples/django/manage.py" migrate --verbosity 0 >&2
    touch "$home/migrated"
fi
"$home/bin/python" -c 'import django, werkzeug'
echo "$home/bin/python"
