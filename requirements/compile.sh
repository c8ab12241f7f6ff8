#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: names, versions and hashes for Python 3.11 to 3.13, no index.
# Usage: sh requirements/compile.sh [--upgrade]   (wants `uv` on PATH or in .venv/bin)
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)
lock() {
  out=$1; shift
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --no-emit-index-url --no-emit-find-links "$@" -o "requirements/$out"
}
upgrade=${1:-}
lock bootstrap.txt $upgrade requirements/bootstrap.in
lock hall.txt $upgrade pyproject.toml requirements/build.in --extra hall --extra demo -c requirements/constraints.in
lock dev.txt $upgrade pyproject.toml requirements/build.in --extra hall --extra demo --extra dev -c requirements/constraints.in -c requirements/hall.txt
lock federated.txt $upgrade pyproject.toml requirements/build.in --extra federated -c requirements/constraints.in
# pycanon pins a numpy that has no wheel for Python 3.13; the next one gives the same measures.
lock oracle.txt $upgrade requirements/oracle.in --override requirements/oracle-override.in
# anjana pins the same numpy, and a pycanon of its own; the data sets come in a package.
lock peers.txt $upgrade requirements/peers.in --override requirements/oracle-override.in
# The linter of data contracts asks for other versions than Airflow does.
lock datacontract.txt $upgrade requirements/datacontract.in
