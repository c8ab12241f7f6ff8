#!/bin/sh
# Ruff, mypy --strict and the import rules, each one run even when the one before it found something.
# Usage: VENV=.venv sh scripts/lint.sh
set -u
bin=${VENV:-.venv}/bin
failed=''
check() {
  echo "$*"
  "$bin/$@" || failed="$failed $1"
}
check ruff check .
check ruff format --check .
check mypy
check lint-imports --no-logo
[ -z "$failed" ] || { echo "Not clean:$failed" >&2; exit 1; }
