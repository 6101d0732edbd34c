#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
# Init of the guest: traffic of known numbers past a running agent. What it leaves in /out, test_kernels.py judges.
# shellcheck source=/dev/null
. /lib.sh

expect() { # what was sent, by ab's own count
    name=$1
    shift
    ab -q "$@" >"/out/ab-$name" 2>&1
}

uname -r >/out/release
weft check >/out/check 2>&1
echo $? >/out/check.status

# One port to a case, so that each has an edge of its own.
mkdir -p /www /tmp/logs
dd if=/dev/urandom of=/www/file bs=1000 count=150 2>/dev/null
cat >/tmp/nginx.conf <<END
worker_processes 2; daemon off; user root; pid /tmp/nginx.pid; error_log /tmp/logs/error.log;
events { worker_connections 512; }
http { access_log off; keepalive_requests 1000000; keepalive_timeout 600; sendfile on; root /www;
    server { listen 127.0.0.1:8001; listen 127.0.0.1:8002; listen [::1]:8003; listen 127.0.0.1:8004; listen 127.0.0.1:8005;
        location / { return 200 "ok"; } location /broken { return 500 "no"; } location /file { } } }
END
nginx -p /tmp -c /tmp/nginx.conf &
nginx=$!
until nc 127.0.0.1 8005 </dev/null; do usleep 100000; done

# A connection that is older than the agent: one request before, three after.
mkfifo /tmp/older
nc 127.0.0.1 8005 </tmp/older >/out/older &
exec 4>/tmp/older
printf 'GET /older HTTP/1.1\r\nHost: a\r\n\r\n' >&4
until grep -q ok /out/older; do usleep 100000; done

mkfifo /tmp/ready
weft agent --sink file:/out/records --window 2s --ready-fd 5 5>/tmp/ready 2>/out/agent.errors &
agent=$!
head -n 1 /tmp/ready >/out/ready

for path in first second third; do
    printf 'GET /%s HTTP/1.1\r\nHost: a\r\n\r\n' "$path" >&4
    usleep 200000
done
expect plain -n 600 -c 8 http://127.0.0.1:8001/users/1
expect plain-broken -n 60 -c 4 http://127.0.0.1:8001/broken
expect kept -k -n 2000 -c 8 http://127.0.0.1:8002/users/1
expect kept-broken -k -n 200 -c 8 http://127.0.0.1:8002/broken
expect ipv6 -k -n 600 -c 8 'http://[::1]:8003/users/1'
expect ipv6-broken -n 60 -c 4 'http://[::1]:8003/broken'
expect file -k -n 50 -c 2 http://127.0.0.1:8004/file
expect refused -n 1 http://127.0.0.1:8009/
exec 4>&-
usleep 500000

kill $agent
wait $agent
echo $? >/out/agent.status
kill $nginx
sleep 1
bpftool prog show >/out/left 2>&1
bpftool map show >>/out/left 2>&1
finish
