# SPDX-License-Identifier: Apache-2.0
"""deploy/run from nothing to running and back, on a copy of this machine's file system."""
import pytest

import host_copy
from conftest import ROOT, free_port

# Everything outside the tree of sources that it may touch. Files of these folders only, so that pipes and sockets are seen, too.
LIST = "list() { find /run /etc /usr /var/lib /var/log /root -xdev | grep -v -e '^/var/lib/apt' -e '\\.pyc$' | sort; }\n"


@pytest.fixture
def copy(tmp_path):
    def run(script):
        text = host_copy.run(tmp_path / "copy", f"cd {ROOT}\n{LIST}{script}", network=False)
        return text.splitlines()

    return run


def test_start_look_and_remove(copy):
    port = free_port()
    said = copy(f"""
        list >/before
        ./deploy/run -- --namespace self --page 127.0.0.1:{port} --sink file:/records.json --window 1s 2>/dev/null
        echo "== again"
        ./deploy/run -- --page off
        echo "== page"
        curl -sS http://127.0.0.1:{port}/ | head -c 15; echo
        for i in 1 2 3; do curl -s http://127.0.0.1:{port}/ >/dev/null; sleep 1; done
        grep -m 1 -o '"record":"agent"' /records.json
        pid=$(cat /run/weft-deploy/pid)
        echo "== remove"
        ./deploy/run --remove
        [ ! -e "/proc/$pid" ] || grep -q '^State:.*Z' "/proc/$pid/status"
        list >/after
        diff /before /after && echo "nothing left"
        ./deploy/run --remove""")
    again, page, remove = (said.index(f"== {part}") for part in ("again", "page", "remove"))
    address = f"  page  http://127.0.0.1:{port}"
    assert said[0].startswith("weft watches this host (pid ") and address in said[:again]
    assert "it runs already" in said[again + 1] and said[again + 2] == said[0] and address in said[again:page]
    assert said[page + 1:remove] == ["<!doctype html>", '"record":"agent"']
    assert said[remove + 1].startswith("deploy/run: stopped the agent (pid ")
    assert said[-2:] == ["nothing left", "deploy/run: nothing to remove"]


def test_a_failed_start_says_why_and_leaves_no_pid(copy):
    said = copy("""
        ! ./deploy/run -- --page nowhere 2>/words
        tail -n 2 /words
        ls /run""")
    assert "--page nowhere" in said[0]
    assert said[1:] == ["deploy/run: the agent did not start; its last words stand above and in /var/log/weft.log"]


def test_packages_it_added_are_named_and_removed_on_demand(copy):
    said = copy("""
        mkdir -p /var/lib/weft-deploy
        echo libyaml-dev >/var/lib/weft-deploy/packages
        ./deploy/run --remove
        mkdir -p /var/lib/weft-deploy
        echo libyaml-dev >/var/lib/weft-deploy/packages
        ./deploy/run --remove --packages 2>/dev/null
        dpkg-query -W -f='${db:Status-Status}\\n' libyaml-dev 2>/dev/null || echo gone""")
    assert said[0] == "deploy/run: left in place, installed for the build: libyaml-dev "
    assert said[1] == "            to remove them: sudo apt-get purge libyaml-dev "
    assert said[2:] in (["not-installed"], ["gone"])
