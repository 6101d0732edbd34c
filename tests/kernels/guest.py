# SPDX-License-Identifier: Apache-2.0
"""
Boots a Debian kernel under emulation (qemu, no KVM) with the weft that was built here, not rebuilt, and hands back the
files that its script left in /out.

The kernel's package comes from apt, is unpacked without being installed, and is kept in .cache/kernels. The initramfs
holds busybox, a script as init, each program with the shared libraries that ldd names for it on this machine, and modules
with those that they depend on, in the order in which they are to be loaded.
Results leave the guest as one tar on its second serial port: the kernels need no module for that.
"""
import io
import lzma
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


class Kernel:
    """An unpacked package, downloaded at most once for each version."""

    def __init__(self, series):
        package = package_of(series)
        folder = CACHE / package
        if not folder.exists():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            subprocess.run(["apt-get", "download", "-q", package], cwd=part, check=True, capture_output=True)
            subprocess.run(["dpkg", "-x", next(part.glob("*.deb")), part], check=True)
            next(part.glob("*.deb")).unlink()
            part.rename(folder)
        self.image = next((folder / "boot").glob("vmlinuz-*"))
        self.modules = {path.name.split(".ko")[0].replace("-", "_"): path for path in (folder / "lib" / "modules").rglob("*.ko*")}

    def module(self, name):
        path = self.modules[name]
        return lzma.open(path).read() if path.suffix == ".xz" else path.read_bytes()

    def with_dependencies(self, names):
        """{name: bytes}, each after what it depends on, as their own .modinfo says; what is built in has no file."""
        ordered = {}
        for name in names:
            if name in ordered or name not in self.modules:
                continue
            content = self.module(name)
            needed = content.split(b"\0depends=", 1)[1].split(b"\0", 1)[0].decode().replace("-", "_")
            ordered |= self.with_dependencies(needed.split(",")) | {name: content}
        return ordered


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


def initramfs(folder, script, programs, modules):
    root = folder / "root"
    for name in ["dev", "etc", "proc", "sys", "tmp", "run", "out", "var/lib/nginx", "modules"]:
        (root / name).mkdir(parents=True)
    place(root, shutil.which("busybox"), "/bin/busybox")
    place(root, HERE / "lib.sh", "/lib.sh")
    place(root, HERE / script, "/init")
    for number, (name, content) in enumerate(modules.items()):
        (root / "modules" / f"{number:02}-{name}.ko").write_bytes(content)
    for name in programs:
        program = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if not program:
            raise RuntimeError(f"no {name} on this machine; ./deploy/dependencies --test installs what tests need")
        place(root, program, f"/usr/bin/{pathlib.Path(program).name}")
        for library in libraries_of(program):
            place(root, library, library)
    archive = folder / "initramfs.gz"
    subprocess.run(f"find . | cpio --quiet -o -H newc | gzip -1 > {archive}", shell=True, cwd=root, check=True)
    return archive


def boot(series, folder, options="", script="guest.sh", programs=PROGRAMS, modules=()):
    """Runs the script and gives {file name: bytes}. `options` are words for the kernel's command line."""
    results = folder / "results.tar"
    kernel = Kernel(series)
    archive = initramfs(folder, script, programs, kernel.with_dependencies(modules))
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none",
               "-no-reboot", "-nodefaults", "-serial", f"file:{folder / 'console'}", "-serial", f"file:{results}",
               "-kernel", kernel.image, "-initrd", archive,
               "-append", f"console=ttyS0 quiet panic=-1 {options}"]
    subprocess.run(command, check=True, timeout=BOOT_SECONDS)
    try:
        with tarfile.open(fileobj=io.BytesIO(results.read_bytes())) as tar:
            files = {pathlib.Path(m.name).name: tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}
    except tarfile.TarError as error:
        raise RuntimeError(f"the guest left no results; its console:\n{(folder / 'console').read_text()}") from error
    if "records" not in files:
        said = {name: files.get(name, b"").decode(errors="replace") for name in ("check", "errors", "agent.errors", "agent.status")}
        raise RuntimeError(f"the agent wrote no records: {said}")
    return files
