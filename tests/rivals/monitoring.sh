#!/bin/sh
# Installs uwsgitop and the Prometheus client library from PyPI into target/rivals/monitoring, once, and prints the path of its
# python. Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/monitoring"
if [ ! -e "$home/made" ]; then
    echo "installing uwsgitop and prometheus_client from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'uwsgitop>=0.12' 'prometheus_client>=0.20' >&2
    touch "$home/made"
fi
"$home/bin/python" -c 'import prometheus_client.parser'
echo "$home/bin/python"
