#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# Init of the guest: packets over a veth past a running agent, one that is killed and one that comes after it.
# test_packets.py judges what it leaves in /out.
# shellcheck source=/dev/null
. /lib.sh

uname -r >/out/release
for module in /modules/*.ko; do insmod "$module"; done
iproute=/usr/bin/ip tc=/usr/bin/tc # not busybox's

filters() {
    for device in lo near theirs; do
        for way in ingress egress; do
            $tc filter show dev $device $way | sed "s/^/$device $way /"
        done
    done
}

start() {
    rm -f /tmp/ready
    mkfifo /tmp/ready
    weft agent --sink file:/out/records --window 1s --socket /tmp/weft.sock --page off --ready-fd 5 5>/tmp/ready 2>>/out/agent.errors &
    agent=$!
    head -n 1 /tmp/ready >>/out/ready
}

# Somebody else's filter, at an interface whose qdisc is theirs, too.
$iproute link add theirs type veth peer name other
$tc qdisc add dev theirs clsact
$tc filter add dev theirs ingress protocol ip prio 3 u32 match u32 0 0 flowid 1:1 >/out/theirs 2>&1

for which in all default; do echo 1 >/proc/sys/net/ipv6/conf/$which/disable_ipv6; done # it would speak at any time
start
$iproute netns add far
$iproute netns exec far sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 
$iproute link add near type veth peer name eth0 netns far
sleep 1
$iproute addr add 10.0.0.1/24 dev near
$iproute link set near up
$iproute -n far addr add 10.0.0.2/24 dev eth0
$iproute -n far link set eth0 up
ping -q -c 20 -s 300 -i 0.1 10.0.0.2 >/out/ping
sleep 10 # the kernel asks once more whether the other is there
$iproute -j -s link show dev near >/out/near
weft check --socket /tmp/weft.sock >/out/check 2>&1
$iproute -j -s link show dev near >/out/near.after
kill -9 $agent
wait $agent
filters >/out/filters.killed
weft check --clean >/out/clean 2>&1
filters >/out/filters.clean
$tc qdisc show >/out/qdiscs.clean
start
kill -9 $agent
wait $agent
start
filters >/out/filters.running
kill $agent
wait $agent
echo $? >/out/agent.status
filters >/out/filters.stopped
bpftool prog show >/out/left 2>&1
finish
