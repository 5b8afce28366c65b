#!/bin/sh
# Installs uwsgitop, the Prometheus client library and OpenTelemetry's messages from PyPI, once, and prints the path of their python
# (see `virtualenv`).
set -eu
home=$("$(dirname "$0")/virtualenv" monitoring 'uwsgitop>=0.12' 'prometheus_client>=0.20' 'opentelemetry-proto>=1.25')
"$home/bin/python" -c 'import prometheus_client.parser, opentelemetry.proto'
echo "$home/bin/python"
