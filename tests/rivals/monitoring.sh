#!/bin/sh
# Installs uwsgitop, the Prometheus client library and OpenTelemetry's messages from PyPI into target/rivals/monitoring, once, and
# prints the path of its python. Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/monitoring"
if [ ! -e "$home/made-with-otlp" ]; then
    echo "installing uwsgitop, prometheus_client and opentelemetry-proto from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'uwsgitop>=0.12' 'prometheus_client>=0.20' \
        'opentelemetry-proto>=1.25' >&2
    touch "$home/made-with-otlp"
fi
"$home/bin/python" -c 'import prometheus_client.parser, opentelemetry.proto'
echo "$home/bin/python"
