# Sourced after need.sh: builds container images without a daemon and without a registry.
# shellcheck shell=bash

# image NAME:TAG ARCHIVE FOLDER [OPTION...]: builds what the Containerfile on standard input says, from the files of the
# folder, into an OCI archive: localhost/NAME:TAG. The same input makes the same image.
image() {
    local name=localhost/$1 archive=$2 folder=$3 work
    need buildah buildah
    work=$(mktemp -d)
    local buildah=(buildah --storage-driver vfs --root "$work/root" --runroot "$work/runroot")
    "${buildah[@]}" build --isolation chroot --timestamp 0 --tag "$name" --file - "${@:4}" "$folder" &&
        "${buildah[@]}" push --quiet "$name" "oci-archive:$work/archive:$name" &&
        mv "$work/archive" "$archive"
    local status=$?
    rm -rf "$work"
    return "$status"
}
