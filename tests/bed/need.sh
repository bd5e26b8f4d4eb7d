# Sourced by checks: gets what a check needs from Debian, or ends the check as one that cannot be done here.
# shellcheck shell=bash

# unavailable WHY: ends a check whose needs cannot be met.
unavailable() {
    echo "$*"
    exit 77
}

# need COMMAND PACKAGE: installs the package where the command is missing.
need() {
    command -v "$1" >/dev/null && return
    [ "$(id -u)" = 0 ] || unavailable "$1 is missing, and only root can install $2"
    command -v apt-get >/dev/null || unavailable "$1 is missing, and this is no Debian to install $2 from"
    [ -n "${apt_updated:=$(apt-get update -q >&2 && echo yes)}" ] || unavailable "$1 is missing, and the Debian archive does not answer"
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$2" </dev/null >&2 ||
        unavailable "$1 is missing, and $2 cannot be installed"
}
