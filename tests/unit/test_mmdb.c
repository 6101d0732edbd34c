/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/identity.h"
#include "agent/mmdb.h"
#include "mmdb_writer.h"

#define SECOND 1000000000ULL

static char asn_file[64], country_file[64];

static struct address at(const char *text) {
    uint8_t bytes[16];
    const int family = strchr(text, ':') ? 6 : 4;
    assert_int_equal(inet_pton(family == 4 ? AF_INET : AF_INET6, text, bytes), 1);
    return address_of(bytes, family);
}

static void add_network(struct mmdb_writer *w, const char *text, unsigned bits, uint32_t data) {
    struct address address = at(text);
    uint8_t bytes[16] = {0};
    if (address_is_four(&address)) /* below ::/96 */
        memcpy(bytes + 12, address.bytes + 12, 4);
    else
        memcpy(bytes, address.bytes, 16);
    mmdb_prefix(w, bytes, bits + (address_is_four(&address) ? 96 : 0), data);
}

static void write_asn(const char *owner) {
    static struct mmdb_writer w;
    memset(&w, 0, sizeof w);
    mmdb_control(&w, 7, 2);
    mmdb_string(&w, "autonomous_system_number"), mmdb_number(&w, 6, 64500, 4);
    mmdb_string(&w, "autonomous_system_organization"), mmdb_string(&w, owner);
    add_network(&w, "8.8.0.0", 16, 0);
    add_network(&w, "2001:db8::", 32, 0);
    assert_true(mmdb_write(&w, asn_file));
}

static void write_country(void) {
    static struct mmdb_writer w;
    memset(&w, 0, sizeof w);
    mmdb_control(&w, 7, 1);
    mmdb_string(&w, "country");
    mmdb_control(&w, 7, 1);
    mmdb_string(&w, "iso_code"), mmdb_string(&w, "NL");
    add_network(&w, "8.8.0.0", 16, 0);
    add_network(&w, "9.9.9.0", 24, 0);
    assert_true(mmdb_write(&w, country_file));
}

static int name_files(void **state) {
    (void)state;
    snprintf(asn_file, sizeof asn_file, "/tmp/weft-test-asn-%d", (int)getpid());
    snprintf(country_file, sizeof country_file, "/tmp/weft-test-country-%d", (int)getpid());
    return 0;
}

static int remove_files(void **state) {
    (void)state;
    unlink(asn_file);
    unlink(country_file);
    return 0;
}

static struct mmdb_place find(const struct mmdb *mmdb, const char *text) {
    struct mmdb_place place = {0};
    const struct address address = at(text);
    mmdb_find(mmdb, &address, &place);
    return place;
}

static void a_file_tells_the_network(void **state) {
    (void)state;
    struct mmdb *mmdb;
    write_asn("Example Networks");
    assert_int_equal(mmdb_new(asn_file, &mmdb), 0);
    assert_string_equal(mmdb_problem(mmdb), "");
    assert_int_equal(find(mmdb, "8.8.4.4").number, 64500);
    assert_string_equal(find(mmdb, "2001:db8::7").owner, "Example Networks");
    assert_int_equal(find(mmdb, "8.9.0.1").number, 0);
    mmdb_free(mmdb);
}

/* Replaced, it is read again; damaged, cut short in place or gone, the one read before stays. */
static void a_replaced_file_is_read_and_a_damaged_one_refused(void **state) {
    (void)state;
    struct mmdb *mmdb;
    write_asn("First");
    assert_int_equal(mmdb_new(asn_file, &mmdb), 0);
    unlink(asn_file);
    write_asn("Second");
    mmdb_refresh(mmdb, 10 * SECOND);
    assert_string_equal(find(mmdb, "8.8.4.4").owner, "Second");
    assert_int_equal(truncate(asn_file, 100), 0);
    assert_string_equal(find(mmdb, "8.8.4.4").owner, "Second");
    mmdb_refresh(mmdb, 20 * SECOND);
    assert_non_null(strstr(mmdb_problem(mmdb), asn_file));
    assert_non_null(strstr(mmdb_problem(mmdb), "stays in use"));
    assert_string_equal(find(mmdb, "8.8.4.4").owner, "Second");
    unlink(asn_file);
    mmdb_refresh(mmdb, 30 * SECOND);
    assert_non_null(strstr(mmdb_problem(mmdb), "No such file"));
    write_asn("Third");
    mmdb_refresh(mmdb, 40 * SECOND);
    assert_string_equal(mmdb_problem(mmdb), "");
    assert_string_equal(find(mmdb, "8.8.4.4").owner, "Third");
    mmdb_free(mmdb);
}

/* Every byte of the tree and its data set to something else, one after the other: refused or read, never a crash. */
static void damage_is_survived(void **state) {
    (void)state;
    static uint8_t good[65536], bad[65536];
    write_country();
    FILE *file = fopen(country_file, "rb");
    const size_t length = fread(good, 1, sizeof good, file);
    fclose(file);
    for (size_t i = 0; i < length; i += 7) {
        memcpy(bad, good, length);
        bad[i] ^= 0xff;
        file = fopen(country_file, "wb");
        fwrite(bad, 1, length, file);
        fclose(file);
        struct mmdb *mmdb;
        assert_int_equal(mmdb_new(country_file, &mmdb), 0);
        find(mmdb, "8.8.4.4");
        find(mmdb, "9.9.9.9");
        mmdb_free(mmdb);
    }
}

static const char *client(struct identity *identity, const char *text) {
    const struct address address = at(text);
    uint64_t instance;
    bool stale;
    return identity_client_address(identity, address.bytes, 6, &instance, &stale)->name;
}

static void public_clients_are_grouped_by_network_and_country(void **state) {
    (void)state;
    write_asn("Example Networks");
    write_country();
    const struct identity_options options = {.host = "testhost",
                                             .docker_socket = "",
                                             .root = "/nonexistent",
                                             .mmdb_asn = asn_file,
                                             .mmdb_country = country_file};
    struct identity *identity;
    char warning[512];
    assert_int_equal(identity_new(&options, &identity), 0);
    assert_string_equal(client(identity, "8.8.4.4"), "AS64500 Example Networks (NL)");
    assert_ptr_equal(client(identity, "8.8.4.4"), client(identity, "8.8.8.8"));
    assert_string_equal(client(identity, "9.9.9.9"), "internet (NL)");
    assert_string_equal(client(identity, "2001:db8::9"), "AS64500 Example Networks");
    assert_string_equal(client(identity, "1.1.1.1"), "internet");
    assert_string_equal(client(identity, "10.1.1.1"), "10.1.1.0/24");
    identity_warning(identity, warning, sizeof warning);
    assert_string_equal(warning, "");
    identity_free(identity);
    assert_int_equal(truncate(country_file, 10), 0);
    assert_int_equal(identity_new(&options, &identity), 0);
    identity_warning(identity, warning, sizeof warning);
    assert_non_null(strstr(warning, country_file));
    assert_string_equal(client(identity, "8.8.4.4"), "AS64500 Example Networks");
    identity_free(identity);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_tells_the_network),
        cmocka_unit_test(a_replaced_file_is_read_and_a_damaged_one_refused),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(public_clients_are_grouped_by_network_and_country),
    };
    return cmocka_run_group_tests(tests, name_files, remove_files);
}
