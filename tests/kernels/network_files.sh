#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# Init of the guest: files on NFS and a disk behind NVMe over TCP, the kernel at both ends of both, while every record of the
# rings is kept. test_network_files.py judges what it leaves in /out.
# shellcheck source=/dev/null
. /lib.sh

uname -r >/out/release
for module in /modules/*.ko; do insmod "$module"; done

# Clients and agent live in a network namespace of their own, as if the servers were on another host: of two ends that are
# both here it is the server's whose bytes are copied, and that one belongs to kernel threads.
iproute=/usr/bin/ip # not busybox's
$iproute netns add client
$iproute link add there type veth peer name here netns client
$iproute addr add 10.0.0.2/24 dev there
$iproute link set there up

# NFS without a process: what mountd would answer to the kernel is written there beforehand.
mkdir -p /srv /mnt /var/lib/nfs/v4recovery
mount -t tmpfs none /srv
mount -t nfsd nfsd /proc/fs/nfsd
anyone=9218 # insecure ports, no subtree check, an fsid
echo "nfsd 10.0.0.1 2147483647 client" >/proc/net/rpc/auth.unix.ip/channel
echo "client /srv 2147483647 $anyone 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
echo 'client 1 \x00000000 2147483647 /srv' >/proc/net/rpc/nfsd.fh/channel
echo "-2 -3 +4 +4.1 +4.2" >/proc/fs/nfsd/versions
echo "tcp 2049" >/proc/fs/nfsd/portlist
echo 4 >/proc/fs/nfsd/threads
echo Y >/proc/fs/nfsd/v4_end_grace

mount -t configfs none /sys/kernel/config
disk=/sys/kernel/config/nvmet/subsystems/disk
port=/sys/kernel/config/nvmet/ports/1
dd if=/dev/zero of=/srv/disk bs=1M count=16
mkdir $disk $disk/namespaces/1 $port
echo 1 >$disk/attr_allow_any_host
echo /srv/disk >$disk/namespaces/1/device_path
echo 1 >$disk/namespaces/1/buffered_io
echo 1 >$disk/namespaces/1/enable
echo tcp >$port/addr_trtype
echo ipv4 >$port/addr_adrfam
echo 10.0.0.2 >$port/addr_traddr
echo 4420 >$port/addr_trsvcid
ln -s $disk $port/subsystems/disk

mkdir /www
echo page >/www/canary-of-a-user
yes canary-large | head -c 300000 >/tmp/large
yes canary-direct | head -c 65536 >/tmp/direct
$iproute netns exec client /bin/sh <<'END'
ip addr add 10.0.0.1/24 dev here
ip link set here up
ip link set lo up
httpd -p 127.0.0.1:8001 -h /www
mkfifo /tmp/ready
WITNESS=/out/raw weft_witness agent --namespace self --sink file:/out/records --window 2s --ready-fd 5 5>/tmp/ready 2>/out/agent.errors &
agent=$!
head -n 1 /tmp/ready >/out/ready

wget -q -O /dev/null http://127.0.0.1:8001/canary-of-a-user
mount -t nfs4 -o vers=4.2,proto=tcp,noac,addr=10.0.0.2,clientaddr=10.0.0.1,sec=sys 10.0.0.2:/ /mnt
printf 'transport=tcp,traddr=10.0.0.2,trsvcid=4420,nqn=disk' >/dev/nvme-fabrics
until [ -b /dev/nvme0n1 ]; do usleep 100000; done

echo canary-written >/mnt/written
for _ in 1 2 3 4 5 6 7 8; do echo canary-appended >>/mnt/appended; done
cat /tmp/large >/mnt/large
dd if=/tmp/direct of=/mnt/direct bs=4096 oflag=direct
dd if=/tmp/direct of=/dev/nvme0n1 bs=4096 oflag=direct # on newer kernels sent inside write(), whose argument is the block
sync
echo 3 >/proc/sys/vm/drop_caches
exec 6<>/mnt/large # no delegation for what is open for writing
dd of=/tmp/read bs=1000 <&6 # asks for the file's attributes inside read(), whose buffer has what was read before
exec 6<&-
cmp /tmp/large /tmp/read && echo large >>/out/same
dd if=/dev/nvme0n1 of=/tmp/read bs=4096 count=16 iflag=direct
cmp /tmp/direct /tmp/read && echo disk >>/out/same
usleep 500000
kill $agent
wait $agent
echo $? >/out/agent.status
END
cmp /tmp/direct /srv/direct && echo direct >>/out/same
cat /srv/written /srv/appended >/out/arrived
dmesg | tail -n 60 >/out/dmesg
finish
