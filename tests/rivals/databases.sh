#!/bin/sh
# Installs Django and PostgreSQL's driver with its pool from PyPI, once, and prints the path of their python (see `virtualenv`).
set -eu
here=$(dirname "$0")
django="$(grep -i '^Django==' "$here/../../examples/django/requirements.txt")"
home=$("$here/virtualenv" databases "$django" 'psycopg[binary,pool]==3.3.9' psycopg-pool==3.3.3)
"$home/bin/python" -c 'import django, psycopg, psycopg_pool'
echo "$home/bin/python"
