# Sourced by checks, after need.sh: a package from PyPI.
# shellcheck shell=bash

# python_with PACKAGE VERSION: leaves in `root` the folder of a virtual environment that has the package.
python_with() {
    need python3 python3
    root=$HIGHWATER_TESTBED/$1-$2
    [ ! -e "$root/complete" ] || return 0
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        # Debian has it apart, and the command that tells whether it is there comes with it.
        [ "$(id -u)" = 0 ] || unavailable 'python3-venv is missing, and only root can install it'
        apt-get update -q >&2 || unavailable 'python3-venv is missing, and the Debian archive does not answer'
        apt-get install -q -y --no-install-recommends python3-venv </dev/null >&2 ||
            unavailable 'python3-venv is missing, and cannot be installed'
    fi
    rm -rf "$root"
    python3 -m venv "$root"
    "$root/bin/pip" install -q "$1==$2" || unavailable "$1 cannot be had from PyPI"
    touch "$root/complete"
}
