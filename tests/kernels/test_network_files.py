# SPDX-License-Identifier: Apache-2.0
"""
What the kernel's own sockets carry is in no record: files on NFS and blocks of a disk behind NVMe over TCP, with the kernel
at both ends.

The kernel sends for such a file inside the writer's system call, whose arguments point at the file's bytes. So every record is
kept as it stood in the rings, and looked through for them; what a user's socket carried must be there.
"""
import json
import re

import pytest

import guest

WITNESS = guest.ROOT / "build" / "release" / "tests" / "witness" / "weft_witness"
MODULES = ["veth", "nfsd", "nfsv4", "nvmet_tcp", "nvme_tcp"]
NFS, NVME = 2049, 4420
LARGE, DIRECT = 300000, 65536


@pytest.fixture(scope="module", params=["6.1", pytest.param("6.12", marks=pytest.mark.slow)])
def left(request, tmp_path_factory):
    files = guest.boot(request.param, tmp_path_factory.mktemp("guest"), script="network_files.sh", programs=[WITNESS, "ip"],
                       modules=MODULES)
    assert files["release"].startswith(request.param.encode() + b".")
    assert files["ready"] == b"ready\n" and files["agent.status"] == b"0\n" and b"not done" not in files["errors"]
    return files


def edges(left, port):
    records = [json.loads(line) for line in left["records"].splitlines()]
    return [r for r in records if r["record"] == "edge" and r["server_port"] == port]


def test_a_file_on_a_network_file_system_and_a_network_disk_are_in_no_ring_record(left):
    assert left["arrived"].split() == [b"canary-written"] + 8 * [b"canary-appended"]
    assert left["same"].split() == [b"large", b"disk", b"direct"]
    assert set(re.findall(rb"canary[a-z-]*", left["raw"])) == {b"canary-of-a-user"}
    assert b"canary" not in left["records"].replace(b"canary-of-a-user", b"")


@pytest.mark.slow  # sometimes the bytes of NFS are not told before the guest ends
def test_the_bytes_of_network_files_are_counted_all_the_same(left):
    """What NVMe receives passes every hook by, so it is told when the connection closes; here it stays open."""
    assert sum(e["bytes"]["request"] for e in edges(left, NFS)) > LARGE + DIRECT
    assert sum(e["bytes"]["response"] for e in edges(left, NFS)) > LARGE
    assert sum(e["bytes"]["request"] for e in edges(left, NVME)) > DIRECT
    assert {e["calls"] for port in (NFS, NVME) for e in edges(left, port)} == {0}


def test_what_a_user_sends_is_in_the_rings_and_in_its_edge(left):
    assert b"GET /canary-of-a-user HTTP" in left["raw"]
    assert [(e["calls"], [p["endpoint"] for p in e["endpoints"]]) for e in edges(left, 8001) if e["calls"]] == [
        (1, ["/canary-of-a-user"])]
