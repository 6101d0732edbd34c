# SPDX-License-Identifier: Apache-2.0
"""A copy of this machine's file system that costs nothing and is thrown away: an overlay in a mount namespace of its own."""
import subprocess

ENTER = """
work=$1 script=$2
mount -t tmpfs copy "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay copy -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
for folder in proc sys dev; do mount --rbind "/$folder" "$work/root/$folder"; done
mount -t tmpfs run "$work/root/run"
ip link set lo up 2>/dev/null || :
exec chroot "$work/root" sh -euc "$script"
"""


def run(work, script, network=True):
    """What the shell script says on stdout; with network=False in a network namespace of its own, with loopback alone."""
    work.mkdir()
    namespaces = ["--mount", "--propagation", "private"] + ([] if network else ["--net"])
    result = subprocess.run(["unshare", *namespaces, "sh", "-euc", ENTER, "sh", work, script], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
