# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# What every script of a guest begins with. What it leaves in /out goes to the host with `finish`.
export PATH=/usr/bin:/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
echo 'root:x:0:0:root:/:/bin/sh' >/etc/passwd
echo 'root:x:0:' >/etc/group
echo kernel-test >/etc/hostname
hostname kernel-test

finish() {
    stty -F /dev/ttyS1 raw
    tar -C /out -cf - . >/dev/ttyS1
    poweroff -f
}

(sleep 150; echo "not done after 150 s" >>/out/errors; finish) & # so that a step that hangs still tells its story
exec 2>>/out/errors
