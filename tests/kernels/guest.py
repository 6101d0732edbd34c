# SPDX-License-Identifier: Apache-2.0
"""
Boots a Debian kernel under emulation (qemu, no KVM) with the weft that was built here, not rebuilt, and hands back the
files that guest.sh left in /out.

The kernel's package comes from apt, is unpacked without being installed, and is kept in .cache/kernels. The initramfs
holds busybox, guest.sh as init, and each program with the shared libraries that ldd names for it on this machine.
Results leave the guest as one tar on its second serial port: the kernels need no module for that.
"""
import io
import os
import pathlib
import shutil
import subprocess
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = pathlib.Path(os.environ.get("WEFT_KERNEL_CACHE", ROOT / ".cache" / "kernels"))
META_PACKAGES = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
PROGRAMS = [ROOT / "build" / "release" / "weft", "nginx", "ab", "bpftool"]
BOOT_SECONDS = 600  # far more than any run takes; only a guest that hangs gets there


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def package_of(series):
    """The newest kernel of a series that apt offers: the one its meta package depends on."""
    for line in output_of("apt-cache", "depends", META_PACKAGES[series]).splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise RuntimeError(f"apt offers no {META_PACKAGES[series]}; try apt-get update")


def kernel_image(series):
    """Path of vmlinuz, downloaded at most once for each version."""
    package = package_of(series)
    image = CACHE / f"vmlinuz-{package.removeprefix('linux-image-')}"
    if not image.exists():
        folder = CACHE / package
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True, capture_output=True)
        subprocess.run(["dpkg", "-x", next(folder.glob("*.deb")), folder], check=True)
        shutil.copy(folder / "boot" / image.name, image.with_suffix(".part"))
        image.with_suffix(".part").rename(image)
        shutil.rmtree(folder)
    return image


def libraries_of(program):
    for line in output_of("ldd", program).splitlines():
        for word in line.split():
            if word.startswith("/"):
                yield word


def place(root, source, target):
    target = root / str(target).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy(source, target)  # follows links: the guest needs the file, not its name


def initramfs(folder):
    root = folder / "root"
    for name in ["dev", "etc", "proc", "sys", "tmp", "run", "out", "var/lib/nginx"]:
        (root / name).mkdir(parents=True)
    place(root, shutil.which("busybox"), "/bin/busybox")
    place(root, HERE / "guest.sh", "/init")
    for name in PROGRAMS:
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if not program:
            raise RuntimeError(f"no {name} on this machine; ./deploy/dependencies --test installs what tests need")
        place(root, program, f"/bin/{pathlib.Path(program).name}")
        for library in libraries_of(program):
            place(root, library, library)
    archive = folder / "initramfs.gz"
    subprocess.run(f"find . | cpio --quiet -o -H newc | gzip -1 > {archive}", shell=True, cwd=root, check=True)
    return archive


def boot(series, folder, options=""):
    """Runs guest.sh and gives {file name: text}. `options` are words for the kernel's command line."""
    results = folder / "results.tar"
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none",
               "-no-reboot", "-nodefaults", "-serial", f"file:{folder / 'console'}", "-serial", f"file:{results}",
               "-kernel", kernel_image(series), "-initrd", initramfs(folder),
               "-append", f"console=ttyS0 quiet panic=-1 {options}"]
    subprocess.run(command, check=True, timeout=BOOT_SECONDS)
    try:
        with tarfile.open(fileobj=io.BytesIO(results.read_bytes())) as tar:
            files = {pathlib.Path(m.name).name: tar.extractfile(m).read().decode(errors="replace")
                     for m in tar.getmembers() if m.isfile()}
    except tarfile.TarError as error:
        raise RuntimeError(f"the guest left no results; its console:\n{(folder / 'console').read_text()}") from error
    if "records" not in files:
        said = {name: files.get(name) for name in ("check", "errors", "agent.errors", "agent.status")}
        raise RuntimeError(f"the agent wrote no records: {said}")
    return files
