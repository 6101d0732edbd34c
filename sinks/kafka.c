/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Apache Kafka through librdkafka, whose threads do the sending. Producing only puts a copy into its queue, which is
 * bounded: when brokers cannot be reached the queue fills, further records are refused, and queued ones fail
 * after message.timeout.ms (5 minutes). Callbacks run inside rd_kafka_poll and rd_kafka_flush, on our thread.
 * The key is an edge's or agent's id, so one edge's records stay in order in one partition.
 */
#include <errno.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum { CLOSE_MS = 10000 };

static const char *const topics[] = {
    [SINK_EDGE] = "weft.edges",   [SINK_WORKLOAD] = "weft.workloads", [SINK_JOIN] = "weft.joins",
    [SINK_AGENT] = "weft.agents", [SINK_CALL] = "weft.calls",         [SINK_FLOW] = "weft.flows"};

static const struct {
    const char *name, *value;
} settings[] = {
    {"client.id", "weft"},
    {"enable.idempotence", "true"},
    {"compression.codec", "lz4"},
    {"queue.buffering.max.kbytes", "32768"}, /* the most that an unreachable broker can cost in memory */
};

struct kafka_sink {
    rd_kafka_t *client;
    char *brokers;
    _Atomic uint64_t delivered, failed, queue_full;
    bool complained; /* since the last delivery */
};

static void complain(struct kafka_sink *sink, const char *reason) {
    if (!sink->complained)
        fprintf(stderr, "weft: kafka %s: %s; trying on, see kafka_failed and kafka_queue_full\n", sink->brokers,
                reason);
    sink->complained = true;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *context) {
    struct kafka_sink *sink = context;
    (void)client;
    if (message->err) {
        sink->failed++;
        complain(sink, rd_kafka_err2str(message->err));
        return;
    }
    sink->delivered++;
    if (sink->complained)
        fprintf(stderr, "weft: kafka %s: delivering again\n", sink->brokers);
    sink->complained = false;
}

static void on_error(rd_kafka_t *client, int error, const char *reason, void *context) {
    char fatal[256];
    if (error == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_fatal_error(client, fatal, sizeof(fatal));
        reason = fatal;
    }
    complain(context, reason);
}

static void kafka_free(struct kafka_sink *sink) {
    if (sink->client)
        rd_kafka_destroy(sink->client);
    free(sink->brokers);
    free(sink);
}

static rd_kafka_t *new_client(struct kafka_sink *sink, char *error, size_t error_size) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, error, error_size) != RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    rd_kafka_conf_set_opaque(conf, sink);
    rd_kafka_conf_set_log_cb(conf, NULL); /* a line a second otherwise; on_error says it once */
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_size);
    if (!client)
        rd_kafka_conf_destroy(conf);
    return client;
}

static int kafka_open(const struct sink_settings *settings, void **ret_sink, char *error, size_t error_size) {
    const char *brokers = settings->argument;
    struct kafka_sink *sink = calloc(1, sizeof(*sink));
    if (!sink || !(sink->brokers = strdup(brokers))) {
        snprintf(error, error_size, "out of memory");
        free(sink);
        return -ENOMEM;
    }
    sink->client = new_client(sink, error, error_size);
    if (!sink->client) {
        kafka_free(sink);
        return -EINVAL;
    }
    if (!rd_kafka_brokers_add(sink->client, brokers)) {
        snprintf(error, error_size, "no broker in it; expected kafka:HOST:PORT[,HOST:PORT...]");
        kafka_free(sink);
        return -EINVAL;
    }
    *ret_sink = sink;
    return 0;
}

static enum sink_status kafka_write(void *context, const struct sink_record *records, size_t count, size_t *ret_taken) {
    struct kafka_sink *sink = context;
    for (size_t i = 0; i < count; i++) {
        char key[17];
        snprintf(key, sizeof(key), "%016" PRIx64, records[i].key);
        rd_kafka_resp_err_t error = rd_kafka_producev(
            sink->client, RD_KAFKA_V_TOPIC(topics[records[i].kind]), RD_KAFKA_V_KEY(key, 16),
            RD_KAFKA_V_VALUE((void *)records[i].bytes, records[i].length - 1), /* without the newline */
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (!error)
            continue;
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            sink->queue_full++;
            *ret_taken = i;
            return SINK_RETRY;
        }
        sink->failed++; /* this one, too large for instance; the next may do */
        complain(sink, rd_kafka_err2str(error));
    }
    *ret_taken = count;
    return SINK_OK;
}

static bool kafka_flush(void *context) {
    struct kafka_sink *sink = context;
    rd_kafka_poll(sink->client, 0);
    return rd_kafka_outq_len(sink->client) > 0;
}

static size_t kafka_counters(void *context, struct counter *counters) {
    const struct kafka_sink *sink = context;
    counters[0] = (struct counter){"kafka_delivered", sink->delivered};
    counters[1] = (struct counter){"kafka_failed", sink->failed};
    counters[2] = (struct counter){"kafka_queue_full", sink->queue_full}; /* times the queue refused */
    return 3;
}

static void kafka_close(void *context, uint64_t deadline_ns) {
    (void)deadline_ns;
    struct kafka_sink *sink = context;
    rd_kafka_flush(sink->client, CLOSE_MS);
    int left = rd_kafka_outq_len(sink->client);
    if (left > 0) {
        fprintf(stderr, "weft: kafka %s: %d records not delivered within %d s, given up\n", sink->brokers, left,
                CLOSE_MS / 1000);
        sink->complained = true;
        rd_kafka_purge(sink->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(sink->client, 1000);
    }
    kafka_free(sink);
}

const struct sink_ops sink_kafka = {
    .name = "kafka",
    .argument = "HOST:PORT[,...]",
    .help = "topics weft.edges and weft.agents of these brokers",
    .open = kafka_open,
    .write = kafka_write,
    .flush = kafka_flush,
    .counters = kafka_counters,
    .close = kafka_close,
};
