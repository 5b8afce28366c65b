#!/bin/sh
# Installs kubernetes-validate, which brings the schemas of Kubernetes, from PyPI into target/rivals/kubernetes, once, and prints
# the path of its program. Needs a network and a python3 with venv. RHINOD_RIVAL_PYTHON names another python3.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
home="${CARGO_TARGET_DIR:-$root/target}/rivals/kubernetes"
binary="$home/bin/kubernetes-validate"
if [ ! -x "$binary" ]; then
    echo "installing kubernetes-validate from PyPI into $home (once)" >&2
    "${RHINOD_RIVAL_PYTHON:-python3}" -m venv --clear "$home" >&2
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check 'kubernetes-validate>=1.27' >&2
fi
"$binary" --version >/dev/null
echo "$binary"
