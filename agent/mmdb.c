/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/mmdb.h"
#include "agent/text.h"

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_AGAIN_NS 5000000000ULL

enum { FILE_BYTES = 128 << 20, TRIALS = 256 };

struct mmdb {
    char *path;
    MMDB_s data;
    bool open;
    struct stat file; /* as last looked at */
    uint64_t looked_ns;
    char problem[192];
};

static void sockaddr_of(const struct address *address, struct sockaddr_storage *ret_sockaddr) {
    *ret_sockaddr = (struct sockaddr_storage){0};
    if (address_is_four(address)) {
        struct sockaddr_in *four = (struct sockaddr_in *)ret_sockaddr;
        four->sin_family = AF_INET;
        memcpy(&four->sin_addr, address->bytes + 12, 4);
    } else {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_sockaddr;
        six->sin6_family = AF_INET6;
        memcpy(&six->sin6_addr, address->bytes, 16);
    }
}

static int look_up(const MMDB_s *data, const struct address *address, MMDB_lookup_result_s *ret_result) {
    struct sockaddr_storage sockaddr;
    int error;
    sockaddr_of(address, &sockaddr);
    *ret_result = MMDB_lookup_sockaddr(data, (const struct sockaddr *)&sockaddr, &error);
    return error == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR ? MMDB_SUCCESS : error;
}

static bool get(MMDB_entry_s *entry, const char *const path[], MMDB_entry_data_s *ret_data) {
    return MMDB_aget_value(entry, ret_data, path) == MMDB_SUCCESS && ret_data->has_data;
}

static void get_text(MMDB_entry_s *entry, const char *const path[], char *into, size_t size) {
    MMDB_entry_data_s data;
    if (into[0] || !get(entry, path, &data) || data.type != MMDB_DATA_TYPE_UTF8_STRING)
        return;
    snprintf(into, size, "%.*s", (int)data.data_size, data.utf8_string);
}

/* The names that the usual files give: GeoLite2, DB-IP, IPinfo. */
static void read_entry(MMDB_entry_s *entry, struct mmdb_place *place) {
    MMDB_entry_data_s data;
    char text[24] = "";
    if (!place->number && get(entry, (const char *const[]){"autonomous_system_number", NULL}, &data) &&
        data.type == MMDB_DATA_TYPE_UINT32)
        place->number = data.uint32;
    get_text(entry, (const char *const[]){"asn", NULL}, text, sizeof text);
    if (!place->number && strncmp(text, "AS", 2) == 0)
        place->number = (uint32_t)strtoul(text + 2, NULL, 10);
    get_text(entry, (const char *const[]){"autonomous_system_organization", NULL}, place->owner, sizeof place->owner);
    get_text(entry, (const char *const[]){"as_name", NULL}, place->owner, sizeof place->owner);
    get_text(entry, (const char *const[]){"country", "iso_code", NULL}, place->country, sizeof place->country);
    get_text(entry, (const char *const[]){"country_code", NULL}, place->country, sizeof place->country);
}

/* Looks at addresses from all over, whole entries included, so that damage is found now and not by a user. */
static int try_out(const MMDB_s *data) {
    for (unsigned i = 0; i < TRIALS; i++) {
        const uint8_t four[4] = {(uint8_t)i, 1, 2, 3}, six[16] = {0x20, (uint8_t)i, 2, 3};
        const struct address trials[] = {address_of(four, 4), address_of(six, 6)};
        for (size_t j = 0; j < 2; j++) {
            MMDB_lookup_result_s result;
            MMDB_entry_data_list_s *list = NULL;
            int error = look_up(data, &trials[j], &result);
            if (error == MMDB_SUCCESS && result.found_entry)
                error = MMDB_get_entry_data_list(&result.entry, &list);
            MMDB_free_entry_data_list(list);
            if (error != MMDB_SUCCESS)
                return error;
        }
    }
    return MMDB_SUCCESS;
}

/* A copy that nobody else can change or shorten. Descriptor or negative errno. */
static int copy_file(const char *path, struct stat *ret_file) {
    const int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0)
        return -errno;
    int into = -EINVAL;
    if (fstat(from, ret_file) == 0 && S_ISREG(ret_file->st_mode) && ret_file->st_size <= FILE_BYTES)
        into = memfd_create("weft-mmdb", MFD_CLOEXEC);
    ssize_t copied = 1;
    while (into >= 0 && copied > 0)
        copied = sendfile(into, from, NULL, FILE_BYTES);
    close(from);
    return into;
}

static void refuse(struct mmdb *mmdb, const char *why) {
    snprintf(mmdb->problem, sizeof mmdb->problem, "%s: %s; %s", mmdb->path, why,
             mmdb->open ? "the file read before stays in use" : "public clients are named \"internet\"");
}

static void load(struct mmdb *mmdb) {
    char path[64];
    MMDB_s data;
    const int fd = copy_file(mmdb->path, &mmdb->file);
    if (fd < 0) {
        refuse(mmdb, fd == -EINVAL ? "not a file of at most 128 MiB" : strerror(-fd));
        return;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int error = MMDB_open(path, MMDB_MODE_MMAP, &data);
    close(fd);
    if (error == MMDB_SUCCESS && (error = try_out(&data)) != MMDB_SUCCESS)
        MMDB_close(&data);
    if (error != MMDB_SUCCESS) {
        refuse(mmdb, MMDB_strerror(error));
        return;
    }
    if (mmdb->open)
        MMDB_close(&mmdb->data);
    mmdb->data = data;
    mmdb->open = true;
    mmdb->problem[0] = '\0';
}

int mmdb_new(const char *path, struct mmdb **ret_mmdb) {
    struct mmdb *mmdb = calloc(1, sizeof *mmdb);
    if (!mmdb || !(mmdb->path = strdup(path))) {
        free(mmdb);
        return -ENOMEM;
    }
    load(mmdb);
    *ret_mmdb = mmdb;
    return 0;
}

void mmdb_free(struct mmdb *mmdb) {
    if (!mmdb)
        return;
    if (mmdb->open)
        MMDB_close(&mmdb->data);
    free(mmdb->path);
    free(mmdb);
}

void mmdb_refresh(struct mmdb *mmdb, uint64_t now_ns) {
    struct stat file;
    if (!mmdb || now_ns < mmdb->looked_ns + LOOK_AGAIN_NS)
        return;
    mmdb->looked_ns = now_ns;
    if (stat(mmdb->path, &file) < 0) {
        refuse(mmdb, strerror(errno));
        mmdb->file = (struct stat){0};
    } else if (file.st_ino != mmdb->file.st_ino || file.st_dev != mmdb->file.st_dev ||
               file.st_size != mmdb->file.st_size || file.st_mtim.tv_sec != mmdb->file.st_mtim.tv_sec ||
               file.st_mtim.tv_nsec != mmdb->file.st_mtim.tv_nsec) {
        load(mmdb);
    }
}

const char *mmdb_problem(const struct mmdb *mmdb) {
    return mmdb ? mmdb->problem : "";
}

void mmdb_find(const struct mmdb *mmdb, const struct address *address, struct mmdb_place *place) {
    MMDB_lookup_result_s result;
    if (mmdb && mmdb->open && look_up(&mmdb->data, address, &result) == MMDB_SUCCESS && result.found_entry)
        read_entry(&result.entry, place);
}
