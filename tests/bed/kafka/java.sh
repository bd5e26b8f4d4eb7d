# Sourced: where the jars of this bed's Kafka version are, and the Java command that runs them.
# They lie in a cache, never in the checkout: HIGHWATER_TESTBED, else a folder of the user's cache.
# shellcheck shell=bash disable=SC2034

bed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$bed/pom.xml")
home=${HIGHWATER_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/highwater-testbed}/kafka-$version
archive=$home/kafka.jsa

# For short lives: the simple collector, the quick compiler, and the archive of loaded classes where there is one.
java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Djava.net.preferIPv4Stack=true
    "-Dlog4j2.configurationFile=$bed/log4j2.properties" -cp "$home/lib/*")
[ ! -e "$archive" ] || java+=("-XX:SharedArchiveFile=$archive")
