# SPDX-License-Identifier: Apache-2.0
"""`cmake --install` and the Debian package: installed, used, removed; on a copy of this machine's file system that is thrown away."""
import os
import re
import subprocess

import pytest

import host_copy
from conftest import ROOT, WEFT

RELEASE = ROOT / "build" / "release"
SERVICE = "usr/lib/systemd/system/weft.service"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(["cpack", "--config", RELEASE / "CPackConfig.cmake", "-G", "DEB", "-B", folder], check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)
    (deb,) = folder.glob("*.deb")
    return deb


def test_install_under_a_prefix(tmp_path):
    """Nothing outside the prefix, and the unit starts the program that was installed."""
    prefix = tmp_path / "prefix"
    subprocess.run(["cmake", "--install", RELEASE, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
    assert output(prefix / "sbin" / "weft", "--version") == output(WEFT, "--version")
    assert (prefix / "etc" / "weft" / "weft.yaml").read_text() == (ROOT / "deploy" / "weft.yaml").read_text()
    assert f"ExecStart={prefix}/sbin/weft agent\n" in (prefix / "lib/systemd/system/weft.service").read_text()
    assert (prefix / "share/man/man8/weft.8.gz").exists()
    manifest = (RELEASE / "install_manifest.txt").read_text().split("\n")
    assert len(manifest) > 8 and all(path.startswith(f"{prefix}/") for path in manifest)


def test_install_keeps_a_configuration(tmp_path):
    (tmp_path / "etc" / "weft").mkdir(parents=True)
    mine = tmp_path / "etc" / "weft" / "weft.yaml"
    mine.write_text("window: 5s\n")
    subprocess.run(["cmake", "--install", RELEASE, "--prefix", "/usr"], check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | {"DESTDIR": str(tmp_path)})
    assert mine.read_text() == "window: 5s\n"
    assert "ExecStart=/usr/sbin/weft agent\n" in (tmp_path / SERVICE).read_text()


def test_package_life(tmp_path, package):
    """Installed with its dependencies, used, changed, installed again, removed, purged: every file of it is gone."""
    text = host_copy.run(tmp_path / "copy", f"""
        cp {package} /package.deb
        ! dpkg-query -W weft 2>/dev/null || dpkg --purge weft
        list() {{ find /usr /etc /var/lib -xdev | grep -v /var/lib/dpkg/ | sort; }}
        list >/before
        dpkg -i /package.deb
        /usr/sbin/weft --version
        /usr/sbin/weft config check
        systemctl is-enabled weft.service || :
        echo 'window: 5s' >/etc/weft/weft.yaml
        dpkg -i /package.deb
        cat /etc/weft/weft.yaml
        dpkg --remove weft
        ls /etc/weft
        ! ls /usr/sbin/weft 2>/dev/null
        mkdir -p /var/lib/weft/spool
        dpkg --purge weft
        list >/after
        diff /before /after
        echo all gone""")
    assert output(WEFT, "--version") in text
    assert "/etc/weft/weft.yaml: all right\n" in text
    assert "\ndisabled\n" in text
    assert "\nwindow: 5s\n" in text
    assert text.endswith("all gone\n")


def test_package_contents(package):
    owners = output("dpkg-deb", "--contents", package)
    assert all(line.split()[1] == "root/root" for line in owners.splitlines())
    depends = output("dpkg-deb", "-f", package, "Depends")
    for library in ("libbpf1", "libc6", "libjansson4", "librdkafka1"):
        assert library in depends
    control = output("dpkg-deb", "--info", package)
    assert "conffiles" in control


def test_package_is_what_lintian_wants(package):
    result = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", package], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_service_file(tmp_path):
    """systemd understands every line of it, and rates how much it leaves open."""
    subprocess.run(["cmake", "--install", RELEASE, "--prefix", tmp_path], check=True, stdout=subprocess.DEVNULL)
    unit = tmp_path / "lib/systemd/system/weft.service"
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert result.returncode == 0 and str(unit.name) not in result.stderr, result.stderr
    subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=40", unit], check=True, stdout=subprocess.DEVNULL)


def test_capabilities_of_the_service():
    """With no more than the unit grants, everything attaches that attaches without limits."""
    text = (ROOT / "packaging" / "weft.service.in").read_text()
    granted = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.M)[1].lower().replace("cap_", "+").split()
    limited = ["setpriv", "--bounding-set", "-all," + ",".join(granted), "--no-new-privs"]
    assert "attached" in output(WEFT, "check")
    assert output(*limited, WEFT, "check") == output(WEFT, "check")


def test_manual_names_every_command_and_option():
    page = subprocess.run(["mandoc", "-Tutf8", "-Owidth=200", ROOT / "packaging" / "weft.8"], check=True, capture_output=True)
    page = re.sub(r".\x08", "", page.stdout.decode())
    top = output(WEFT, "--help")
    commands = re.findall(r"^  ([a-z]+) ", top.split("commands:")[1], re.M)
    assert "agent" in commands
    helps = top + "".join(output(WEFT, command, "--help") for command in commands)
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", helps))
    assert "--sink" in options
    missing = [word for word in [*commands, *options] if not re.search(rf"(?<![\w-]){word}(?![\w-])", page)]
    assert not missing
    invented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.split("EXAMPLES")[0])) - options
    assert not invented
