#!/bin/sh
# Prints the Python that Sluice's environment is made with, or says on stderr what to do and exits 1.
# Usage: python.sh VENV [PYTHON]   PYTHON: the one that was asked for; empty: the environment's own, else the first that fits.
set -u
venv=$1
asked=${2:-}
locked='3.11, 3.12, 3.13'

# One word for what a candidate is: the version when it fits, else why not. It must run on any Python, even 2.7.
probe='
import sys, sysconfig
version = "%d.%d" % sys.version_info[:2]
if sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)):
    print("version " + version)
elif sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("build " + version)  # PyPy and free-threaded builds: the locked wheels are not for them
else:
    try:
        import ensurepip, venv
        print("ok " + version)
    except ImportError:
        print("venv " + version)
'

look() { "$1" -c "$probe" 2>/dev/null; }

explain() {  # name, what look() said
  case $2 in
    "version "*) echo "Python ${2#version } ($1) is not one of those that Sluice's packages are locked for: $locked." ;;
    "build "*) echo "Python ${2#build } ($1) is not a plain CPython, and the locked packages are built for that only." ;;
    "venv "*)
      v=${2#venv }
      echo "Python $v ($1) can't make environments: its venv module is missing. On Debian and Ubuntu:"
      echo "    sudo apt install python$v-venv"
      return ;;
    *) echo "$1 is not a Python that runs." ;;
  esac
  echo "Name another one:  make demo PYTHON=/path/to/python3.12"
}

if [ -n "$asked" ]; then
  said=$(look "$asked")
  case $said in
    ok*) command -v "$asked"; exit 0 ;;
  esac
  explain "$asked" "$said" >&2
  exit 1
fi

first='' first_said=''
for candidate in "$venv/bin/python" python3.13 python3.12 python3.11 python3 /usr/bin/python3; do
  command -v "$candidate" >/dev/null 2>&1 || continue
  said=$(look "$candidate")
  case $said in
    ok*) command -v "$candidate"; exit 0 ;;
    # A Python that only lacks its venv package is nearer to what's wanted than one of another version.
    venv*) case $first_said in venv*) ;; *) first=$candidate first_said=$said ;; esac ;;
    ?*) [ -n "$first" ] || { first=$candidate; first_said=$said; } ;;
  esac
done
if [ -n "$first" ]; then
  explain "$first" "$first_said" >&2
else
  {
    echo "No Python was found. Sluice runs on Python $locked. On Debian and Ubuntu:"
    echo "    sudo apt install python3 python3-venv"
  } >&2
fi
exit 1
