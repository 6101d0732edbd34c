# SPDX-License-Identifier: Apache-2.0
"""
Packets at interfaces on Debian's kernels, emulated: by clsact before Linux 6.6, by tcx since; counts equal to the interface's
own; what a killed agent leaves, and that the next one removes exactly that.
"""
import json
import re

import pytest

import guest

WEFT = guest.ROOT / "build" / "release" / "weft"
HANDLE = "handle 0x77656674"


@pytest.fixture(scope="module", params=["6.1", pytest.param("6.12", marks=pytest.mark.slow)])
def left(request, tmp_path_factory):
    files = guest.boot(request.param, tmp_path_factory.mktemp("guest"), script="packets.sh",
                       programs=[WEFT, "ip", "tc", "bpftool"], modules=["veth", "sch_ingress", "cls_bpf", "cls_u32"])
    files = {name: content.decode(errors="replace") for name, content in files.items()}
    assert files["release"].startswith(request.param + ".")
    assert "not done" not in files["errors"], files["errors"]
    files["mode"] = "clsact" if request.param == "6.1" else "tcx"
    return files


def test_every_agent_started_and_the_last_ended_well(left):
    assert left["ready"].split() == ["ready"] * 3 and left["agent.status"] == "0\n", left["agent.errors"]
    assert "packets are not watched" not in left["agent.errors"]


def test_counts_equal_the_interfaces_own(left):
    assert left["near"] == left["near.after"]
    own = json.loads(left["near"])[0]["stats64"]
    line = next(line for line in left["check"].splitlines() if line.startswith("near"))
    seen = re.fullmatch(rf"near +veth +host +{left['mode']} +(\d+)/(\d+) +(\d+)/(\d+) +exact", line)
    assert seen, line
    assert [int(n) for n in seen.groups()] == [own["rx"]["packets"], own["rx"]["bytes"], own["tx"]["packets"], own["tx"]["bytes"]]
    assert own["rx"]["packets"] >= 20


def test_what_a_killed_agent_leaves_is_removed_and_nothing_else(left):
    ours = {"clsact": 6, "tcx": 0}[left["mode"]]  # three interfaces, two ways
    assert left["filters.killed"].count(HANDLE) == ours == left["filters.running"].count(HANDLE)
    assert HANDLE not in left["filters.clean"] + left["filters.stopped"]
    assert ("Nothing to remove" in left["clean"]) == (ours == 0)
    theirs = [line for line in left["filters.killed"].splitlines() if "u32" in line]
    assert theirs and all([line for line in left[name].splitlines() if "u32" in line] == theirs
                          for name in ("filters.clean", "filters.running", "filters.stopped"))
    assert re.findall(r"qdisc clsact .*dev (\S+)", left["qdiscs.clean"]) == ["theirs"]


def test_nothing_is_attached_after_the_last_one(left):
    assert not re.search("packet_ingress|packet_egress", left["left"])
