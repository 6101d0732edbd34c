/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "topology/workload.h"

static struct workload_instance process(uint32_t pid) {
    return (struct workload_instance){.id = pid, .pid = pid, .last_seen_ns = pid};
}

static void instances_are_bounded_and_counted(void **state) {
    (void)state;
    struct workload *workload = workload_new(1, WORKLOAD_PROCESS, "", "curl");
    for (int round = 0; round < 2; round++)
        for (uint32_t pid = 1; pid <= 32; pid++) {
            const struct workload_instance one = process(pid);
            workload_saw(workload, &one);
        }
    struct workload_facts facts;
    workload_facts(workload, &facts);
    assert_int_equal(facts.instance_count, WORKLOAD_INSTANCES);
    assert_int_equal(facts.instances_more, 16);
    struct workload_instance found;
    assert_true(workload_instance(workload, 32, &found));
    assert_int_equal(found.pid, 32);
    assert_false(workload_instance(workload, 33, &found));
    workload_free(workload);
}

static void changes_are_told_once(void **state) {
    (void)state;
    struct workload *workload = workload_new(1, WORKLOAD_CONTAINER, "shop", "cart");
    assert_string_equal(workload->scope, "shop");
    assert_true(workload_take_changed(workload));
    assert_false(workload_take_changed(workload));
    struct workload_instance one = process(7);
    workload_saw(workload, &one);
    assert_true(workload_take_changed(workload));
    one.last_seen_ns++;
    workload_saw(workload, &one);
    assert_false(workload_take_changed(workload));
    strcpy(one.container, "shop-cart-1");
    workload_saw(workload, &one);
    assert_true(workload_take_changed(workload));
    workload_free(workload);
}

static void a_program_is_filled_in(void **state) {
    (void)state;
    struct workload *workload = workload_new(1, WORKLOAD_PROCESS, "", "api");
    assert_string_equal(workload->executable, "");
    const struct workload_program first = {.executable = "/srv/api"};
    workload_learn(workload, &first, "");
    const struct workload_program more = {
        .executable = "/srv/api", .build_id = "ab", .language = "go", .tls_library = "go", .tls_reachable = true};
    workload_learn(workload, &more, "");
    const struct workload_program other = {.executable = "/bin/sh", .language = "shell"};
    workload_learn(workload, &other, "");
    struct workload_facts facts;
    workload_facts(workload, &facts);
    assert_string_equal(workload->executable, "/srv/api");
    assert_string_equal(facts.program.language, "go");
    assert_true(facts.program.tls_reachable);
    const struct workload_program newer = {.executable = "/srv/api", .build_id = "cd", .language = "rust"};
    workload_learn(workload, &newer, "");
    workload_facts(workload, &facts);
    assert_string_equal(facts.program.language, "rust");
    assert_string_equal(facts.program.tls_library, "");
    workload_free(workload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_are_bounded_and_counted),
        cmocka_unit_test(changes_are_told_once),
        cmocka_unit_test(a_program_is_filled_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
