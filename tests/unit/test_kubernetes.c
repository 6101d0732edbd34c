/* SPDX-License-Identifier: Apache-2.0 */
/* Pods and containers from the files that kubelet and runtimes leave, below a root of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/container.h"
#include "agent/identity.h"
#include "agent/kubernetes.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define C "3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a3f2a"
#define D "b00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00cb00c"
#define E "5ca15ca15ca15ca15ca15ca15ca15ca15ca15ca15ca15ca15ca15ca15ca15ca1"
#define U "0b1f3d6c-8f0e-4c56-9d0e-3a2b1c4d5e6f"
#define V "1c1f3d6c-8f0e-4c56-9d0e-3a2b1c4d5e6f"

static const struct {
    const char *pod, *owner;
    bool inferred;
} pods[] = {
    {"web-7d4b9c6f5d-x2x8z", "web", true},
    {"coredns-5d78c9869d-7zq8m", "coredns", true},
    {"payment-api-v2-6b8f9cd4bf-k9v5w", "payment-api-v2", true},
    {"node-exporter-x7z2p", "node-exporter", true}, /* DaemonSet */
    {"backup-28123456-q8w2x", "backup", true},      /* CronJob */
    {"postgres-0", "postgres", true},               /* StatefulSet */
    {"kafka-broker-12", "kafka-broker", true},
    {"kube-apiserver-node-1", "kube-apiserver", true}, /* static: the node's name follows */
    {"debug", "debug", false},
    {"kube-proxy", "kube-proxy", false}, /* "proxy" has a vowel: no random name */
    {"web-20260101", "web-20260101", false},
    {"-0", "-0", false},
};

static void owners_are_inferred_from_pods(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(pods); i++) {
        char owner[256];
        const bool inferred = kubernetes_owner(pods[i].pod, "node-1", owner, sizeof owner);
        assert_string_equal(owner, pods[i].owner);
        assert_int_equal(inferred, pods[i].inferred);
    }
}

/* ---- a root with files ---- */

static char root[64];

static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(whole, 0755);
        *at = '/';
    }
    FILE *file = text ? fopen(whole, "w") : NULL;
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static int make_root(void **state) {
    (void)state;
    strcpy(root, "/tmp/weft-test-kubernetes-XXXXXX");
    assert_non_null(mkdtemp(root));
    put("/var/log/pods/shop_web-7d4b9c6f5d-x2x8z_" U "/app/0.log", "");
    put("/var/log/pods/shop_cart-0_" V "/cart/0.log", "");
    put("/var/log/pods/shop_cart-0_" V "/proxy/0.log", "");
    put("/var/log/pods/broken", "");
    put("/run/containerd/io.containerd.runtime.v2.task/k8s.io/" C "/config.json",
        "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\",\"io.kubernetes.cri.sandbox-name\":"
        "\"web-7d4b9c6f5d-x2x8z\",\"io.kubernetes.cri.sandbox-namespace\":\"shop\","
        "\"io.kubernetes.cri.image-name\":\"registry/shop:1\"}}");
    put("/run/containers/storage/overlay-containers/" D "/userdata/config.json",
        "{\"annotations\":{\"io.kubernetes.container.name\":\"proxy\",\"io.kubernetes.pod.name\":\"cart-0\","
        "\"io.kubernetes.pod.namespace\":\"shop\",\"io.kubernetes.cri-o.ImageName\":\"registry/proxy:2\"}}");
    put("/var/lib/containers/storage/overlay-containers/containers.json",
        "[{\"id\":\"" E "\",\"names\":[\"cache\"],\"metadata\":\"{\\\"image-name\\\":\\\"redis:7\\\"}\"}]");
    return 0;
}

static int remove_root(void **state) {
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

static void kubelets_folders_name_pods(void **state) {
    (void)state;
    struct pod pod;
    assert_true(kubernetes_pod(root, U, &pod));
    assert_string_equal(pod.namespace, "shop");
    assert_string_equal(pod.name, "web-7d4b9c6f5d-x2x8z");
    assert_string_equal(pod.container, "app");
    assert_true(kubernetes_pod(root, V, &pod));
    assert_string_equal(pod.container, ""); /* two: which one, the bundle knows */
    assert_false(kubernetes_pod(root, "ffffffff-8f0e-4c56-9d0e-3a2b1c4d5e6f", &pod));
    assert_false(kubernetes_pod("/nonexistent", U, &pod));
}

static void runtimes_files_name_containers(void **state) {
    (void)state;
    struct container_facts facts;
    assert_true(container_read(root, C, &facts));
    assert_string_equal(facts.pod, "web-7d4b9c6f5d-x2x8z");
    assert_string_equal(facts.pod_container, "app");
    assert_string_equal(facts.image, "registry/shop:1");
    container_done(&facts);
    assert_true(container_read(root, D, &facts));
    assert_string_equal(facts.pod_namespace, "shop");
    assert_string_equal(facts.pod_container, "proxy");
    container_done(&facts);
    assert_true(container_read(root, E, &facts));
    assert_string_equal(facts.name, "cache");
    assert_string_equal(facts.image, "redis:7");
    container_done(&facts);
    assert_false(container_read(root, "ffff", &facts));
    assert_false(container_read(root, "../../etc/passwd", &facts));
}

static const struct workload *resolve(struct identity *identity, uint32_t pid, uint64_t cgroup,
                                      uint64_t *ret_instance) {
    const struct owner owner = {.tgid = 4194000 + pid, .start_time_ns = pid, .cgroup_id = cgroup, .comm = "app"};
    return identity_resolve(identity, &owner, ret_instance);
}

static void pods_are_instances_of_their_owner(void **state) {
    (void)state;
    const struct identity_options options = {.host = "node-1", .docker_socket = "", .root = root};
    struct identity *identity;
    struct workload_instance found;
    uint64_t first, second;
    assert_int_equal(identity_new(&options, &identity), 0);
    identity_saw_cgroup(identity, 1, "/kubepods/burstable/pod" U "/" C);
    identity_saw_cgroup(identity, 2, "/kubepods/burstable/pod" V "/" D);
    identity_saw_cgroup(identity, 3, "/kubepods/burstable/pod" U "/ffff" E); /* not in the path's form: the pod alone */
    const struct workload *web = resolve(identity, 1, 1, &first);
    assert_string_equal(web->name, "web");
    assert_string_equal(web->scope, "shop");
    assert_int_equal(web->kind, WORKLOAD_POD);
    assert_true(web->inferred);
    assert_true(workload_instance(web, first, &found));
    assert_string_equal(found.pod, "web-7d4b9c6f5d-x2x8z");
    assert_string_equal(found.container_id, C);
    assert_string_equal(found.image, "registry/shop:1");
    assert_string_equal(resolve(identity, 2, 2, &second)->name, "cart");
    assert_ptr_equal(resolve(identity, 3, 3, &second), web);
    assert_int_equal(first, second);
    identity_free(identity);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owners_are_inferred_from_pods),
        cmocka_unit_test(kubelets_folders_name_pods),
        cmocka_unit_test(runtimes_files_name_containers),
        cmocka_unit_test(pods_are_instances_of_their_owner),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
