# Sourced: where the programs of this bed's Kubernetes version are.
# They lie in a cache, never in the checkout: HIGHWATER_TESTBED, else a folder of the user's cache.
# shellcheck shell=bash disable=SC2034

bed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:^require k8s.io/kubernetes v::p' "$bed/go.mod")
cache=${HIGHWATER_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/highwater-testbed}
home=$cache/kubernetes-$version
