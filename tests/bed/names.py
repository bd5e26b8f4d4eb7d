"""Names of groups that break an exposition, and every family, as the reference parsers of both formats read them from a
running demo.

names.py ADDRESS PORT...: where it serves, and the brokers of its cluster. Prints what it serves in the text format.
"""

import math
import re
import socket
import struct
import sys
import time
from urllib.request import Request, urlopen

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as text

STORIES = {"audit", "billing", "checkout", "search-index"}
# Whatever Kafka lets a group be called; some would be the same if one escape was left out or done twice.
NAMES = ["größe-群-🦀", "群" * 249, "g" * 249, '"quoted"', '\\"', "back\\slash", "at its end\\", "\\" * 249]
NAMES += ["new\nline", "new\\nline", "new\\\nline", "newline", "\n", "cr\rlf\r\n", "cr\\rlf\\r\\n", "\r"]
NAMES += ["tab\tand spaces  ", "\t", " ", "a:b{c}=d,e", '",group="billing', '"} 1 # {x="y"} 2', "{", "}", "# EOF", " # "]
# What some take for the end of a line, and the rest of the control characters but NUL.
NAMES += ["\v\f\x1c\x1d\x1e\x85\u2028\u2029", "".join(map(chr, [*range(1, 32), *range(127, 160)])), "\ufeff"]
OFFSETS = {name: offset for offset, name in enumerate(NAMES, 1)}
# No name tells these from a gauge, and the demo has no samples of them.
HISTOGRAMS = {"highwater_reconcile_duration_seconds"}
# What a name that ends so promises of each value; the first end that fits counts.
UNITS = {
    "_timestamp_seconds": lambda value: abs(value - time.time()) < 600,
    "_seconds": lambda value: value >= 0,
    "_ratio": lambda value: value <= 1,
    "_info": lambda value: value == 1,
}


def string(value):
    return struct.pack(">h", len(value.encode())) + value.encode()


def commit(port, group, offset):
    """Commits on the first partition of `logins`, in version 2 of OffsetCommit, and returns the broker's error."""
    head = struct.pack(">hhi", 8, 2, 0) + string("names")
    nobody = struct.pack(">i", -1) + string("") + struct.pack(">q", -1)
    request = head + string(group) + nobody + struct.pack(">i", 1) + string("logins")
    request += struct.pack(">iiqh", 1, 0, offset, -1)
    with socket.create_connection(("127.0.0.1", port), 10) as broker, broker.makefile("rb") as answers:
        broker.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", answers.read(4))
        return struct.unpack(">h", answers.read(length)[-2:])[0]


def read(address, parse, accept):
    """The exposition as it came, its families, and every group that a series names."""
    # As text that is read from a file, a carriage return would be a newline.
    body = urlopen(Request(f"http://{address}/metrics", headers={"Accept": accept}), timeout=10).read().decode()
    families = {family.name: family for family in parse(body)}
    samples = [sample for family in families.values() for sample in family.samples]
    return body, families, {sample.labels["group"] for sample in samples if "group" in sample.labels}


def check(address, parse, accept):
    end = time.monotonic() + 60
    while True:
        body, families, groups = read(address, parse, accept)
        if groups == STORIES | set(NAMES):
            break
        missing, foreign = set(NAMES) - groups, groups - STORIES - set(NAMES)
        assert time.monotonic() < end, f"{accept}: missing {missing}, foreign {foreign}"
        time.sleep(0.2)
    place = {"topic": "logins", "partition": "0"}
    offsets = families["kafka_consumergroup_group_offset"].samples
    offsets = {s.labels["group"]: s.value for s in offsets if place.items() <= s.labels.items()}
    assert offsets.pop("audit") > len(NAMES) and offsets == OFFSETS, f"{accept}: {offsets}"
    return body, families


def kind(name):
    return "counter" if name.endswith("_total") else "histogram" if name in HISTOGRAMS else "gauge"


def check_families(names, families):
    """Each family is of the type that its name in the text format says, and none besides; its values fit the name."""
    # A sample that belongs to no family is one of its own, whose type is not known.
    wanted = {(name.removesuffix("_total"), kind(name)) for name in names}
    found = {(name, family.type) for name, family in families.items()}
    assert found == wanted, f"only wanted {wanted - found}, only found {found - wanted}"
    assert {each for _, each in found} == {"counter", "gauge", "histogram"}, found
    for name, family in families.items():
        fits = next((fits for end, fits in UNITS.items() if name.endswith(end)), math.isfinite)
        wrong = [sample for sample in family.samples if not (math.isfinite(sample.value) and fits(sample.value))]
        assert not wrong, wrong


address, ports = sys.argv[1], [int(port) for port in sys.argv[2:]]
for group, offset in OFFSETS.items():
    errors = sorted(commit(port, group, offset) for port in ports)
    # One is its coordinator, and 16 is what the others say.
    assert errors == [0, 16, 16], (group, errors)
_, opened = check(address, open_metrics, "application/openmetrics-text; version=1.0.0")
body, plain = check(address, text, "text/plain; version=0.0.4")
names = re.findall(r"^# TYPE (\S+) ", body, re.MULTILINE)
for families in opened, plain:
    check_families(names, families)
helps, others = ({name: family.documentation for name, family in each.items()} for each in (opened, plain))
assert all(helps.values()) and helps == others, (helps, others)
sys.stdout.buffer.write(body.encode())
