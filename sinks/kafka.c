/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Apache Kafka through librdkafka, whose threads do the sending. Producing puts a copy into its queue, which is
 * bounded.
 *
 * Without a spool, records that find that queue full wait in the sink's own; what the broker has not confirmed after
 * message.timeout.ms (5 minutes) has failed. With one, every record is written to disk first and sent from there, in
 * order; librdkafka holds a bounded part of them and never gives up, and the spool's position follows what is
 * confirmed. So while the broker is away only the spool grows, and a restart of the agent goes on where it was.
 *
 * Callbacks run inside rd_kafka_poll and rd_kafka_flush, on the sink's thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink.h"
#include "spool.h"

enum { IN_FLIGHT_LIMIT = 8192, SAID_LIMIT = 8, PURGE_MS = 1000, FIXED_SCRAM = 0x02060100 };

static const char *const topics[SINK_KINDS] = {
    [SINK_EDGE] = "edges",   [SINK_WORKLOAD] = "workloads", [SINK_JOIN] = "joins",
    [SINK_AGENT] = "agents", [SINK_CALL] = "calls",         [SINK_FLOW] = "flows",
};

/* A record that came from the spool and was produced. */
struct flight {
    struct spool_position after;
    bool done;
};

struct kafka_sink {
    rd_kafka_t *client;
    const struct sink_settings *settings;
    const char *topic_prefix;
    struct spool *spool; /* NULL: none */
    struct flight *flights;
    uint64_t first_flight, next_flight; /* modulo IN_FLIGHT_LIMIT */
    bool fatal;                         /* the client is of no more use */
    bool spool_full;                    /* said, and not over yet */
    bool quiet;                         /* what is given up at the end has been said */
    int said[SAID_LIMIT];               /* errors since the last delivery */
    _Atomic uint64_t delivered, failed, unconfirmed, spool_bytes, spool_records, spool_damaged, restarted;
};

static const char *advice(int error) {
    switch (error) {
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return "is the address right, the broker up, and TLS set at both ends or at none?";
    case RD_KAFKA_RESP_ERR__SSL:
        return "see the options tls, ca, certificate, key";
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return "see the options mechanism, username, password_file";
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return "create the topic, or let the broker do so (auto.create.topics.enable)";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        return "this user may not write there: see the broker's ACLs";
    default:
        return "see docs/operations.md";
    }
}

static const char *scram_advice(int error, const char *reason) {
    bool scram = error == RD_KAFKA_RESP_ERR__AUTHENTICATION && strstr(reason, "SCRAM");
    return scram && rd_kafka_version() < FIXED_SCRAM ? ". SCRAM of this librdkafka is refused by Kafka 4 even if the "
                                                       "password is right: 2.6.1 or newer is needed, "
                                                       "or the mechanism PLAIN over TLS"
                                                     : "";
}

/* Each kind of error once until records are delivered again. */
static void complain(struct kafka_sink *sink, int error, const char *reason) {
    bool first = !sink->said[0];
    if (sink->quiet)
        return;
    int i = 0;
    while (i < SAID_LIMIT && sink->said[i] && sink->said[i] != error)
        i++;
    if (i == SAID_LIMIT || sink->said[i] == error)
        return;
    sink->said[i] = error;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !first)
        return; /* follows another that says why */
    fprintf(stderr, "weft: kafka %s: %s; trying on: %s%s\n", sink->settings->argument, reason, advice(error),
            scram_advice(error, reason));
}

static void on_error(rd_kafka_t *client, int error, const char *reason, void *context) {
    struct kafka_sink *sink = context;
    char fatal[256];
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        error = rd_kafka_fatal_error(client, fatal, sizeof(fatal));
        reason = fatal;
        sink->fatal = true;
    }
    complain(sink, error, reason);
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *context) {
    struct kafka_sink *sink = context;
    struct flight *flight = message->_private;
    bool lives_on = flight && (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                               message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT || sink->fatal);
    (void)client;
    if (message->err && lives_on)
        return; /* still in the spool */
    if (flight)
        flight->done = true;
    if (message->err) {
        sink->failed++;
        complain(sink, message->err, rd_kafka_err2str(message->err));
        return;
    }
    sink->delivered++;
    if (sink->said[0])
        fprintf(stderr, "weft: kafka %s: delivering again\n", sink->settings->argument);
    memset(sink->said, 0, sizeof(sink->said));
}

/* ---- opening ---- */

struct property {
    const char *name, *value;
};

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, char *error, size_t error_size) {
    char reason[256];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
        return 0;
    snprintf(error, error_size, "%s: %s", name, reason);
    return -EINVAL;
}

/* The first line of a file, so that a secret does not stand in the command line. */
static int set_from_file(rd_kafka_conf_t *conf, const char *name, const char *path, char *error, size_t error_size) {
    char line[1024] = "";
    FILE *file = fopen(path, "re");
    if (!file || (!fgets(line, sizeof(line), file) && ferror(file))) {
        int result = -errno;
        snprintf(error, error_size, "%s: %s: %s", name, path, strerror(errno));
        if (file)
            fclose(file);
        return result;
    }
    fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    int result = *line ? set(conf, name, line, error, error_size) : -EINVAL;
    if (!*line)
        snprintf(error, error_size, "%s: %s: its first line is empty", name, path);
    explicit_bzero(line, sizeof(line));
    return result;
}

static int set_security(rd_kafka_conf_t *conf, const struct sink_settings *settings, char *error, size_t error_size) {
    static const struct {
        const char *option, *property;
    } same[] = {
        {"ca", "ssl.ca.location"},     {"certificate", "ssl.certificate.location"},
        {"key", "ssl.key.location"},   {"mechanism", "sasl.mechanisms"},
        {"username", "sasl.username"},
    };
    bool tls = settings_bool(settings, "tls"), sasl = settings_text(settings, "mechanism");
    const char *password = settings_text(settings, "password_file"),
               *key = settings_text(settings, "key_password_file");
    int result = 0;
    if (tls || sasl)
        result = set(conf, "security.protocol",
                     tls && sasl ? "sasl_ssl"
                     : tls       ? "ssl"
                                 : "sasl_plaintext",
                     error, error_size);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]) && !result; i++)
        if (settings_text(settings, same[i].option))
            result = set(conf, same[i].property, settings_text(settings, same[i].option), error, error_size);
    if (password && !result)
        result = set_from_file(conf, "sasl.password", password, error, error_size);
    if (key && !result)
        result = set_from_file(conf, "ssl.key.password", key, error, error_size);
    return result;
}

static int set_all(rd_kafka_conf_t *conf, const struct sink_settings *settings, char *error, size_t error_size) {
    bool spooled = settings_text(settings, "spool");
    const struct property standard[] = {
        {"client.id", "weft"},
        {"enable.idempotence", "true"},
        {"compression.codec", settings_text(settings, "compression")},
        /* The most that an unreachable broker can cost in memory, and with a spool nothing is given up. */
        {"queue.buffering.max.kbytes", spooled ? "8192" : "32768"},
        {"message.timeout.ms", spooled ? "0" : "300000"},
    };
    int result = 0;
    for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]) && !result; i++)
        result = set(conf, standard[i].name, standard[i].value, error, error_size);
    if (!result)
        result = set_security(conf, settings, error, error_size);
    for (size_t i = 0; i < settings->count && !result; i++) {
        const char *name = settings->values[i].name, *value = settings->values[i].value;
        if (!strncmp(name, "rdkafka.", 8))
            result = set(conf, name + 8, value, error, error_size);
        else if (!strncmp(name, "secret.", 7))
            result = set_from_file(conf, name + 7, value, error, error_size);
    }
    return result;
}

static int new_client(struct kafka_sink *sink, char *error, size_t error_size) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result = set_all(conf, sink->settings, error, error_size);
    if (result) {
        rd_kafka_conf_destroy(conf);
        return result;
    }
    rd_kafka_conf_set_opaque(conf, sink);
    rd_kafka_conf_set_log_cb(conf, NULL); /* a line a second otherwise; on_error says it once */
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    sink->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_size);
    if (!sink->client) {
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    if (!rd_kafka_brokers_add(sink->client, sink->settings->argument)) {
        snprintf(error, error_size, "no broker in it; expected kafka:HOST:PORT[,HOST:PORT...]");
        return -EINVAL;
    }
    return 0;
}

static int open_spool(struct kafka_sink *sink, char *error, size_t error_size) {
    const char *path = settings_text(sink->settings, "spool");
    if (!path)
        return 0;
    int result = spool_open(path, settings_number(sink->settings, "spool_max"), &sink->spool, error, error_size);
    if (result)
        return result;
    sink->flights = calloc(IN_FLIGHT_LIMIT, sizeof(*sink->flights));
    if (sink->flights)
        return 0;
    snprintf(error, error_size, "out of memory");
    return -ENOMEM;
}

static void kafka_free(struct kafka_sink *sink) {
    if (sink->client)
        rd_kafka_destroy(sink->client);
    spool_close(sink->spool);
    free(sink->flights);
    free(sink);
}

static int kafka_open(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size) {
    struct kafka_sink *sink = calloc(1, sizeof(*sink));
    if (!sink) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    sink->settings = settings;
    sink->topic_prefix = settings_text(settings, "topic_prefix");
    int result = open_spool(sink, error, error_size);
    if (!result)
        result = new_client(sink, error, error_size);
    if (result) {
        kafka_free(sink);
        return result;
    }
    *ret_sink = sink;
    return 0;
}

/* ---- writing ---- */

static rd_kafka_resp_err_t produce(struct kafka_sink *sink, uint32_t kind, uint64_t id, const char *bytes,
                                   size_t length, struct flight *flight) {
    char topic[128], key[17];
    snprintf(topic, sizeof(topic), "%s%s", sink->topic_prefix, topics[kind < SINK_KINDS ? kind : SINK_EDGE]);
    snprintf(key, sizeof(key), "%016" PRIx64, id);
    return rd_kafka_producev(sink->client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, 16),
                             RD_KAFKA_V_VALUE((void *)bytes, length), RD_KAFKA_V_OPAQUE(flight),
                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
}

/* What is confirmed, from the oldest on without a gap, leaves the spool. */
static void commit(struct kafka_sink *sink) {
    struct spool_position position;
    uint64_t before = sink->first_flight;
    while (sink->first_flight < sink->next_flight && sink->flights[sink->first_flight % IN_FLIGHT_LIMIT].done)
        position = sink->flights[sink->first_flight++ % IN_FLIGHT_LIMIT].after;
    if (sink->first_flight > before)
        spool_commit(sink->spool, position); /* if it fails, a later one says the same and more */
    sink->spool_bytes = spool_bytes(sink->spool);
    sink->spool_records = spool_waiting(sink->spool);
    sink->spool_damaged = spool_damaged(sink->spool);
}

/* From the spool to librdkafka, as much as it takes. */
static void pump(struct kafka_sink *sink) {
    struct spool_record record;
    while (sink->next_flight - sink->first_flight < IN_FLIGHT_LIMIT) {
        struct flight *flight = &sink->flights[sink->next_flight % IN_FLIGHT_LIMIT];
        *flight = (struct flight){0};
        if (spool_next(sink->spool, &record, &flight->after) != 1)
            break;
        rd_kafka_resp_err_t error = produce(sink, record.kind, record.key, record.bytes, record.length, flight);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL || error == RD_KAFKA_RESP_ERR__FATAL) {
            spool_back(sink->spool);
            break;
        }
        sink->next_flight++;
        if (error) { /* too large, for instance: it would fail again */
            flight->done = true;
            sink->failed++;
            complain(sink, error, rd_kafka_err2str(error));
        }
    }
    commit(sink);
}

/* After a fatal error of the idempotent producer: a new one, and with a spool all that is not confirmed once more. */
static void restart(struct kafka_sink *sink) {
    char error[256];
    rd_kafka_purge(sink->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(sink->client, PURGE_MS);
    rd_kafka_t *old = sink->client;
    if (new_client(sink, error, sizeof(error))) {
        if (sink->client && sink->client != old)
            rd_kafka_destroy(sink->client);
        sink->client = old; /* tried again at the next flush */
        return;
    }
    rd_kafka_destroy(old);
    sink->restarted++;
    sink->fatal = false;
    if (sink->spool) {
        sink->first_flight = sink->next_flight = 0;
        spool_rewind(sink->spool);
    }
}

static bool kafka_flush(void *context) {
    struct kafka_sink *sink = context;
    rd_kafka_poll(sink->client, 0);
    if (sink->fatal)
        restart(sink);
    if (sink->spool)
        pump(sink);
    sink->unconfirmed = rd_kafka_outq_len(sink->client);
    return sink->unconfirmed || (sink->spool && sink->spool_records);
}

static enum sink_status write_spool(struct kafka_sink *sink, const struct sink_record *records, size_t count,
                                    size_t *ret_taken) {
    int result = 0;
    size_t i = 0;
    for (; i < count && !result; i += !result) {
        const struct sink_record *record = &records[i];
        const struct spool_record spooled = {record->kind, record->key, record->bytes, record->length - 1};
        result = spool_append(sink->spool, &spooled);
    }
    *ret_taken = i;
    if (i)
        spool_sync(sink->spool);
    if (result && result != -EMSGSIZE) {
        if (!sink->spool_full)
            fprintf(stderr, "weft: kafka %s: spool %s: %s; records wait in memory until there is room\n",
                    sink->settings->argument, settings_text(sink->settings, "spool"),
                    result == -ENOSPC ? "full" : strerror(-result));
        sink->spool_full = true;
        return SINK_RETRY;
    }
    sink->spool_full = false;
    return result ? SINK_FAIL : SINK_OK;
}

static enum sink_status write_direct(struct kafka_sink *sink, const struct sink_record *records, size_t count,
                                     size_t *ret_taken) {
    for (size_t i = 0; i < count; i++) {
        const struct sink_record *record = &records[i];
        rd_kafka_resp_err_t error = produce(sink, record->kind, record->key, record->bytes, record->length - 1, NULL);
        *ret_taken = i;
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL || error == RD_KAFKA_RESP_ERR__FATAL)
            return SINK_RETRY;
        if (error) {
            complain(sink, error, rd_kafka_err2str(error));
            return SINK_FAIL;
        }
    }
    *ret_taken = count;
    return SINK_OK;
}

static enum sink_status kafka_write(void *context, const struct sink_record *records, size_t count, size_t *ret_taken) {
    struct kafka_sink *sink = context;
    return sink->spool ? write_spool(sink, records, count, ret_taken) : write_direct(sink, records, count, ret_taken);
}

static size_t kafka_counters(void *context, struct counter *counters) {
    const struct kafka_sink *sink = context;
    counters[0] = (struct counter){"kafka_delivered", sink->delivered};
    counters[1] = (struct counter){"kafka_failed", sink->failed};
    counters[2] = (struct counter){"kafka_restarted", sink->restarted};
    counters[3] = (struct counter){"kafka_spool_damaged", sink->spool_damaged};
    return 4;
}

static void kafka_report(void *context, struct sink_report *report) {
    const struct kafka_sink *sink = context;
    report->unconfirmed = sink->unconfirmed;
    report->spooled = sink->spool;
    report->spool_records = sink->spool_records;
    report->spool_bytes = sink->spool_bytes;
}

/* ---- closing ---- */

static int64_t left_ms(uint64_t deadline_ns) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    int64_t left = (int64_t)(deadline_ns - ((uint64_t)time.tv_sec * 1000000000 + time.tv_nsec)) / 1000000;
    return left > 0 ? left : 0;
}

/* Until everything is confirmed or the time is over. */
static void finish(struct kafka_sink *sink, uint64_t deadline_ns) {
    while (kafka_flush(sink) && left_ms(deadline_ns))
        rd_kafka_poll(sink->client, left_ms(deadline_ns) < 50 ? left_ms(deadline_ns) : 50);
}

static void kafka_close(void *context, uint64_t deadline_ns) {
    struct kafka_sink *sink = context;
    finish(sink, deadline_ns);
    int left = rd_kafka_outq_len(sink->client);
    if (sink->spool && sink->spool_records)
        fprintf(stderr, "weft: kafka %s: %" PRIu64 " records stay in the spool %s, sent at the next start\n",
                sink->settings->argument, sink->spool_records, settings_text(sink->settings, "spool"));
    else if (left > 0)
        fprintf(stderr, "weft: kafka %s: %d records not delivered before the end, given up\n", sink->settings->argument,
                left);
    if (left > 0) {
        sink->quiet = true;
        rd_kafka_purge(sink->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(sink->client, PURGE_MS);
    }
    if (sink->spool)
        commit(sink);
    kafka_free(sink);
}

static const struct sink_option kafka_options[] = {
    {"topic_prefix", SINK_OPTION_TEXT, "weft.", "before edges, workloads, joins, agents, calls, flows", NULL},
    {"compression", SINK_OPTION_CHOICE, "lz4", "of batches", "none gzip snappy lz4 zstd"},
    {"tls", SINK_OPTION_BOOL, "no", "encrypt, and check the broker's certificate", NULL},
    {"ca", SINK_OPTION_TEXT, NULL, "file of certificates to trust instead of the system's", NULL},
    {"certificate", SINK_OPTION_TEXT, NULL, "file of this client's certificate", NULL},
    {"key", SINK_OPTION_TEXT, NULL, "file of its private key", NULL},
    {"key_password_file", SINK_OPTION_TEXT, NULL, "file whose first line opens that key", NULL},
    {"mechanism", SINK_OPTION_CHOICE, NULL, "of SASL", "PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER GSSAPI"},
    {"username", SINK_OPTION_TEXT, NULL, "for SASL", NULL},
    {"password_file", SINK_OPTION_TEXT, NULL, "file whose first line is the password for SASL", NULL},
    {"spool", SINK_OPTION_TEXT, NULL, "folder: records wait there while the broker is away, also over restarts", NULL},
    {"spool_max", SINK_OPTION_SIZE, "256M", "the most that the spool takes on disk", NULL},
    {"rdkafka.*", SINK_OPTION_TEXT, NULL, "any property of librdkafka", NULL},
    {"secret.*", SINK_OPTION_TEXT, NULL, "the same, its value the first line of this file", NULL},
    {0},
};

const struct sink_ops sink_kafka = {
    .name = "kafka",
    .argument = "HOST:PORT[,...]",
    .help = "one topic for each kind of record",
    .options = kafka_options,
    .open = kafka_open,
    .write = kafka_write,
    .flush = kafka_flush,
    .counters = kafka_counters,
    .report = kafka_report,
    .close = kafka_close,
};
