#!/bin/sh
# Runs the tests that need Debian programs. Usage: test-system.sh VENV
set -eu
venv=$1
marked=$(grep -rlE 'pytest\.mark\.system\b' tests --include='*.py' || true)
if [ -z "$marked" ]; then
  echo "No test needs a Debian program yet: nothing to install, nothing to run."
  exit 0
fi
exec "$venv/bin/python" -m pytest -m system
