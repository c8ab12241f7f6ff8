#!/bin/sh
# Runs the tests that need Debian programs, or many minutes.
# Usage: test-system.sh VENV         without a program its tests are skipped; under CI (the variable CI is set) that's an error
#        test-system.sh --missing    names the Debian packages that are missing, and runs nothing
set -eu

missing=''
# needs PACKAGE PROGRAM...: one of the programs will do; a name is looked up on PATH.
needs() {
  package=$1; shift
  for program; do
    if command -v "$program" >/dev/null 2>&1; then return; fi
  done
  missing="$missing $package"
}
needs postgresql /usr/lib/postgresql/*/bin/initdb initdb
missing=${missing# }

if [ "${1:-}" = --missing ]; then
  printf '%s\n' "$missing"
  exit 0
fi
venv=$1
marked=$(grep -rlE 'pytest\.mark\.system\b' tests --include='*.py' || true)
if [ -z "$marked" ]; then
  echo "No test needs a Debian program yet: nothing to install, nothing to run."
  exit 0
fi
if [ -n "$missing" ]; then
  echo "Programs are missing: apt-get install $missing" >&2
  [ -z "${CI:-}" ] || exit 1
fi
exec "$venv/bin/python" -m pytest -m system
