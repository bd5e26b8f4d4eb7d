# Sourced by tests/run: where everything goes. Nothing lands in the checkout.
# shellcheck shell=bash

export HIGHWATER_TESTBED=${HIGHWATER_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/highwater-testbed}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HIGHWATER_TESTBED/target}
export CARGO_TERM_COLOR=never
logs=$HIGHWATER_TESTBED/logs
mkdir -p "$logs"

# What this run alone uses; gone when it ends, or a day later where it was killed too hard to clean up.
find "$HIGHWATER_TESTBED" -maxdepth 1 -name 'run.*' -mtime +0 -exec rm -rf {} +
RUN=$(mktemp -d "$HIGHWATER_TESTBED/run.XXXXXX")
export RUN TMPDIR=$RUN/tmp
mkdir "$TMPDIR"

# The release binary that all checks look at, once it is built.
export HIGHWATER_BIN=$RUN/highwater

# The container image made of it.
export HIGHWATER_IMAGE=$RUN/image.tar

# What a release offers for download.
export HIGHWATER_ARCHIVE=$RUN/highwater.tar.gz
