#!/bin/sh
# Installs what the tests in Pyodide and in a browser need: Pyodide itself, a Hypothesis without
# native code, Playwright without its own browser, and Chromium where there is none.
#
#     sh tests/pyodide/setup.sh [PYTHON]
#
# PYTHON is the interpreter that runs the tests; by default the first `python3`. Node 20 or
# newer must be there.
set -eu
cd "$(dirname "$0")"
python=${1-python3}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "Node and npm are missing: install Node 20 or newer" >&2
    exit 1
fi
npm ci --no-audit --no-fund --loglevel=error

# The newest Hypothesis has native code; this one is the last that has none.
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --target build/packages \
    --upgrade --only-binary=:all: --platform any hypothesis==6.155.7

"$python" -m pip install --quiet --disable-pip-version-check 'playwright>=1.48'

if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null \
    && ! command -v google-chrome >/dev/null && [ -z "${PUREWASM_CHROMIUM-}" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "Chromium is missing: install it, or set PUREWASM_CHROMIUM to its path" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-dejavu-core >/dev/null
fi
