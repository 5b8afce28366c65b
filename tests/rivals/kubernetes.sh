#!/bin/sh
# Installs kubernetes-validate, which brings the schemas of Kubernetes, from PyPI, once, and prints the path of its program (see
# `virtualenv`).
set -eu
home=$("$(dirname "$0")/virtualenv" kubernetes 'kubernetes-validate>=1.27')
"$home/bin/kubernetes-validate" --version >/dev/null
echo "$home/bin/kubernetes-validate"
