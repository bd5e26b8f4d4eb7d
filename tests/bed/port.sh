# Sourced: a port to listen on.
# shellcheck shell=bash

# Below the range from which the kernel takes ports for outgoing connections: none of those can take it meanwhile.
free_port() {
    local port
    while :; do
        port=$((16000 + SRANDOM % 16000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}
