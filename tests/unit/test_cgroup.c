/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/identity.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define C "3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a"
#define D "b00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00c"
#define U "0b1f3d6c-8f0e-4c56-9d0e-3a2b1c4d5e6f"
#define V "0b1f3d6c_8f0e_4c56_9d0e_3a2b1c4d5e6f" /* U as systemd writes it */
#define S "8a1e2b3c8a1e2b3c8a1e2b3c8a1e2b3c"     /* a static pod */

static const struct {
    const char *path;
    enum workload_kind kind;
    const char *runtime;
    const char *container_id;
    const char *pod_uid;
    const char *service;
    const char *container;
} cases[] = {
    {"/docker/" C, WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"12:memory:/docker/" C, WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"1:name=systemd:/docker/" C, WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"0::/docker/" C, WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/sys/fs/cgroup/memory/docker/" C, WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/docker/" C "/init", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/system.slice/docker-" C ".scope", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"0::/system.slice/docker-" C ".scope", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"0::/../docker-" C ".scope", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/system.slice/docker-" C ".scope/init.scope", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/system.slice/docker-" C ".scope/system.slice/nginx.service", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/tenants.slice/docker-" C ".scope", WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/docker/" C "/docker/" D, WORKLOAD_CONTAINER, "docker", D, "", "", ""},
    {"/actions_job/" C, WORKLOAD_CONTAINER, "", C, "", "", ""},
    {"/ecs/task-family/" C, WORKLOAD_CONTAINER, "", C, "", "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" C ".scope", WORKLOAD_CONTAINER, "docker", C, "",
     "", ""},
    {"/default/" C, WORKLOAD_CONTAINER, "containerd", C, "", "", ""},
    {"/k8s.io/" C, WORKLOAD_CONTAINER, "containerd", C, "", "", ""},
    {"/system.slice/nerdctl-" C ".scope", WORKLOAD_CONTAINER, "containerd", C, "", "", ""},
    {"/system.slice/containerd.service/system.slice:cri-containerd:" C, WORKLOAD_CONTAINER, "containerd", C, "", "",
     ""},
    {"/system.slice/crio-" C ".scope", WORKLOAD_CONTAINER, "cri-o", C, "", "", ""},
    {"/system.slice/crio-conmon-" C ".scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/machine.slice/libpod-" C ".scope", WORKLOAD_CONTAINER, "podman", C, "", "", ""},
    {"/machine.slice/libpod-" C ".scope/container", WORKLOAD_CONTAINER, "podman", C, "", "", ""},
    {"/libpod_parent/libpod-" C, WORKLOAD_CONTAINER, "podman", C, "", "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" C ".scope", WORKLOAD_CONTAINER, "podman", C, "",
     "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" C ".scope/container", WORKLOAD_CONTAINER,
     "podman", C, "", "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-" C, WORKLOAD_CONTAINER,
     "podman", C, "", "", ""},
    {"/system.slice/web.service/libpod-payload-" C, WORKLOAD_CONTAINER, "podman", C, "", "", ""},
    {"/machine.slice/machine-libpod_pod_" D ".slice/libpod-" C ".scope", WORKLOAD_CONTAINER, "podman", C, "", "", ""},
    {"/machine.slice/libpod-conmon-" C ".scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/kubepods/besteffort/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"/kubepods/burstable/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"/kubepods/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"11:cpu,cpuacct:/kubepods/burstable/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"/kubepods/pod" U "/crio-" C, WORKLOAD_POD, "cri-o", C, U, "", ""},
    {"/kubepods/burstable/pod" S "/" C, WORKLOAD_POD, "", C, S, "", ""},
    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" V ".slice/docker-" C ".scope", WORKLOAD_POD,
     "docker", C, U, "", ""},
    {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" V ".slice/cri-containerd-" C ".scope",
     WORKLOAD_POD, "containerd", C, U, "", ""},
    {"/kubepods.slice/kubepods-pod" V ".slice/cri-containerd-" C ".scope", WORKLOAD_POD, "containerd", C, U, "", ""},
    {"0::/kubepods.slice/kubepods-pod" V ".slice/crio-" C ".scope", WORKLOAD_POD, "cri-o", C, U, "", ""},
    {"/kubepods.slice/kubepods-pod" V ".slice/crio-" C ".scope/container", WORKLOAD_POD, "cri-o", C, U, "", ""},
    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" S ".slice/cri-containerd-" C ".scope",
     WORKLOAD_POD, "containerd", C, S, "", ""},
    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" V ".slice/crio-conmon-" C ".scope",
     WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/kubepods.slice/kubepods-pod" V ".slice", WORKLOAD_POD, "", "", U, "", ""},
    {"/system.slice/containerd.service/kubepods-besteffort-pod" V ".slice:cri-containerd:" C, WORKLOAD_POD,
     "containerd", C, U, "", ""},
    {"/docker/" D "/kubelet/kubepods/burstable/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"/docker/" D
     "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" V
     ".slice/cri-containerd-" C ".scope",
     WORKLOAD_POD, "containerd", C, U, "", ""},
    {"/system.slice/docker-" D ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" V
     ".slice/cri-containerd-" C ".scope",
     WORKLOAD_POD, "containerd", C, U, "", ""},
    {"/system.slice/k3s.service/kubepods/burstable/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"/k3s/kubepods/besteffort/pod" U "/" C, WORKLOAD_POD, "", C, U, "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/k3s-rootless.service/kubepods/pod" U "/" C, WORKLOAD_POD, "", C, U,
     "", ""},
    {"/system.slice/nginx.service", WORKLOAD_SERVICE, "", "", "", "nginx", ""},
    {"0::/system.slice/nginx.service", WORKLOAD_SERVICE, "", "", "", "nginx", ""},
    {"1:name=systemd:/system.slice/nginx.service", WORKLOAD_SERVICE, "", "", "", "nginx", ""},
    {"/system.slice/system-postgresql.slice/postgresql@14-main.service", WORKLOAD_SERVICE, "", "", "",
     "postgresql@14-main", ""},
    {"/system.slice/my\\x2dapp.service", WORKLOAD_SERVICE, "", "", "", "my-app", ""},
    {"/system.slice/kubelet.service", WORKLOAD_SERVICE, "", "", "", "kubelet", ""},
    {"/system.slice/gitlab.service/workers", WORKLOAD_SERVICE, "", "", "", "gitlab", ""},
    {"/payments.slice/payments-api.service", WORKLOAD_SERVICE, "", "", "", "payments-api", ""},
    {"/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service", WORKLOAD_SERVICE, "", "", "",
     "syncthing", ""},
    {"/user.slice/user-1000.slice/user@1000.service/syncthing.service", WORKLOAD_SERVICE, "", "", "", "syncthing", ""},
    {"/docker/short/nginx.service", WORKLOAD_SERVICE, "", "", "", "nginx", ""},
    {"/system.slice/docker-registry.service", WORKLOAD_SERVICE, "", "", "", "docker-registry", ""},
    {"", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"0::/", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/init.scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/user.slice", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/user.slice/user-1000.slice/session-3.scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"1:name=systemd:/user.slice/user-1000.slice/session-c2.scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/user.slice/user-1000.slice/user@1000.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/init.scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4242.scope", WORKLOAD_PROCESS, "", "",
     "", "", ""},
    {"/system.slice/run-r0123456789abcdef.scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/run-u17.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/user.slice/user-0.slice/user@0.service/app.slice/run-r1.scope", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/cron.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/crond.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/atd.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/ssh.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/sshd.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/system-sshd.slice/sshd@3-10.0.0.1:22-10.0.0.2:55222.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/docker.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/containerd.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/k3s.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    /* Paths that name the container themselves. */
    {"/lxc.payload.web", WORKLOAD_CONTAINER, "lxc", "", "", "", "web"},
    {"0::/lxc.payload.web/system.slice/nginx.service", WORKLOAD_CONTAINER, "lxc", "", "", "", "web"},
    {"/lxc.payload.web/.lxc", WORKLOAD_CONTAINER, "lxc", "", "", "", "web"},
    {"/lxc.payload/web", WORKLOAD_CONTAINER, "lxc", "", "", "", "web"},
    {"/lxc/101/ns/system.slice/ssh.service", WORKLOAD_CONTAINER, "lxc", "", "", "", "101"},
    {"/lxc.payload.web/docker/" C, WORKLOAD_CONTAINER, "docker", C, "", "", ""},
    {"/lxc.monitor.web", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/machine.slice/machine-web.scope", WORKLOAD_CONTAINER, "machine", "", "", "", "web"},
    {"/machine.slice/machine-qemu\\x2d1\\x2dvm1.scope/libvirt/emulator", WORKLOAD_CONTAINER, "machine", "", "", "",
     "qemu-1-vm1"},
    {"/machine.slice/systemd-nspawn@web.service/payload", WORKLOAD_SERVICE, "", "", "", "systemd-nspawn@web", ""},
    {"/nomad.slice/share.slice/" U ".redis.scope", WORKLOAD_CONTAINER, "nomad", "", "", "", "redis"},
    {"/nomad/reserve.slice/" U ".web-1.scope", WORKLOAD_CONTAINER, "nomad", "", "", "", "web-1"},
    /* AWS Fargate: 32 digits, a dash, a number. */
    {"/ecs/" S "/" S "-2531612879", WORKLOAD_CONTAINER, "", S "-2531612879", "", "", ""},
    /* Ubuntu, RHEL, others. */
    {"/system.slice/snap.docker.dockerd.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/snap.lxd.daemon.service", WORKLOAD_SERVICE, "", "", "", "snap.lxd.daemon", ""},
    {"/system.slice/httpd.service", WORKLOAD_SERVICE, "", "", "", "httpd", ""},
    {"/system.slice/system-getty.slice/getty@tty1.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/supervisor.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/system.slice/rke2-server.service", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" V ".slice/libpod-" C ".scope", WORKLOAD_POD,
     "podman", C, U, "", ""},
    {"/docker/3f2a", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/docker/ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/podcast", WORKLOAD_PROCESS, "", "", "", "", ""},
    {"/.service", WORKLOAD_PROCESS, "", "", "", "", ""},
};

static void paths_name_their_owner(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct cgroup_name name;
        memset(&name, 0xff, sizeof name);
        cgroup_name_parse(cases[i].path, &name);
        if (name.kind != cases[i].kind || strcmp(name.service, cases[i].service) != 0)
            print_error("%s: kind %d, service %s\n", cases[i].path, (int)name.kind, name.service);
        assert_int_equal(name.kind, cases[i].kind);
        assert_string_equal(name.runtime, cases[i].runtime);
        assert_string_equal(name.container_id, cases[i].container_id);
        assert_string_equal(name.pod_uid, cases[i].pod_uid);
        assert_string_equal(name.service, cases[i].service);
        assert_string_equal(name.container, cases[i].container ? cases[i].container : "");
    }
}

static void long_names_are_cut(void **state) {
    (void)state;
    char path[600] = "/system.slice/";
    memset(path + strlen(path), 'a', 400);
    strcat(path, ".service");
    struct cgroup_name name;
    cgroup_name_parse(path, &name);
    assert_int_equal(name.kind, WORKLOAD_SERVICE);
    assert_int_equal(strlen(name.service), sizeof name.service - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths_name_their_owner), cmocka_unit_test(long_names_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
