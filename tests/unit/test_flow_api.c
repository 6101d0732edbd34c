/* SPDX-License-Identifier: Apache-2.0 */
/* The API about flows over HTTP, asked of a source that is made up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow_samples.h"
#include "web/server.h"

static void each(void *context, void (*visit)(void *context, const struct flow_view *view), void *visit_context) {
    struct flow_view view = sample_flow();
    (void)context;
    visit(visit_context, &view);
    view = sample_answer();
    visit(visit_context, &view);
}

static json_t *path(void *context, const char *from, const char *to) {
    (void)context;
    return json_pack("{s:s, s:s}", "from", from, "to", to);
}

/* The answer to GET /api/v1/`what`. */
static json_t *ask(struct web *web, const char *what, unsigned *ret_status) {
    char text[65536];
    size_t length = 0;
    ssize_t more;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(web_port(web))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    dprintf(fd, "GET /api/v1/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", what);
    while ((more = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)more;
    close(fd);
    text[length] = '\0';
    const char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(sscanf(text, "HTTP/1.1 %u", ret_status), 1);
    json_t *answer = json_loads(body + 4, 0, NULL);
    assert_non_null(answer);
    return answer;
}

static struct web *serve(struct web_flows flows, struct graph **ret_graph) {
    struct web *web;
    char error[200];
    assert_int_equal(graph_new(&(struct graph_options){0}, ret_graph), 0);
    struct web_options options = {.address = "127.0.0.1", .graph = *ret_graph, .flows = flows};
    if (web_new(&options, &web, error, sizeof(error)))
        fail_msg("%s", error);
    return web;
}

static void expect(struct web *web, const char *what, unsigned status, const char *json) {
    unsigned answered;
    json_t *answer = ask(web, what, &answered), *expected = json_loads(json, 0, NULL);
    if (answered != status || !json_equal(answer, expected)) {
        char *text = json_dumps(answer, 0);
        fail_msg("%s: %u %s", what, answered, text);
    }
    json_decref(expected);
    json_decref(answer);
}

static void flows_are_asked_for_by_arguments(void **state) {
    (void)state;
    struct graph *graph;
    struct web *web = serve((struct web_flows){NULL, each, path}, &graph);
    expect(web, "flows?columns=client,packets&filter=packets%20%3E%20299", 200,
           "{\"version\":1,\"matched\":1,\"left_out\":0,\"columns\":[\"client\",\"packets\"],"
           "\"rows\":[{\"client\":\"web\",\"packets\":300}]}");
    expect(web, "flows?columns=sender,packets&hops=1&sort=packets&limit=1", 200,
           "{\"version\":1,\"matched\":2,\"left_out\":1,\"columns\":[\"sender\",\"packets\"],"
           "\"rows\":[{\"sender\":\"server\",\"packets\":200}]}");
    expect(web, "flows?group_by=server&columns=server,connections", 200,
           "{\"version\":1,\"matched\":1,\"left_out\":0,\"columns\":[\"server\",\"connections\"],"
           "\"rows\":[{\"server\":\"orders-db\",\"connections\":1}]}");
    expect(web, "flows?filter=packets%20%3E", 400, "{\"error\":\"a value is missing\",\"option\":\"filter\",\"at\":9}");
    expect(web, "flows?limit=0", 400, "{\"error\":\"limit is 1 to 10000\"}");
    expect(web, "flows?limit=1x", 400, "{\"error\":\"limit is 1 to 10000\"}");
    expect(web, "flows?hops=yes", 400, "{\"error\":\"hops is 0 or 1\"}");
    web_free(web);
    graph_free(graph);
}

/* The graph knows of one edge, of web to that address. */
static void show_edge(struct graph *graph, const char *kind, const char *address) {
    struct edges edges;
    edges_init(&edges, 0);
    struct edge like = {.client = {.id = 1, .name = "web", .kind = kind},
                        .server = {.id = 2, .name = "orders-db", .kind = "address"},
                        .family = strchr(address, ':') ? 6 : 4,
                        .server_port = 5432,
                        .seen_port = 5432};
    sample_address(like.address, address);
    struct edge *edge = edges_get(&edges, &like);
    edge->id = 0xc11e;
    edge->window.calls = 1;
    graph_window(graph, &(struct window){1000000000, 1000000000}, &edges, false);
    edges_done(&edges);
}

static void a_path_is_between_two_ends_or_on_an_edge(void **state) {
    (void)state;
    static const char whom[] =
        "{\"error\":\"from and to say between whom: names, addresses, ADDRESS:PORT or :PORT; or edge=ID\"}";
    struct graph *graph;
    struct web *web = serve((struct web_flows){NULL, each, path}, &graph);
    expect(web, "path?from=web&to=10.0.0.3%3A5432", 200, "{\"from\":\"web\",\"to\":\"10.0.0.3:5432\"}");
    show_edge(graph, "process", "10.0.0.3");
    expect(web, "path?edge=000000000000c11e", 200, "{\"from\":\"web\",\"to\":\"10.0.0.3:5432\"}");
    show_edge(graph, "group", "fd00::3");
    expect(web, "path?edge=000000000000c11e", 200, "{\"from\":\"*\",\"to\":\"[fd00::3]:5432\"}");
    expect(web, "path?edge=000000000000c11f", 404, "{\"error\":\"the last hour knows nothing of that id\"}");
    expect(web, "path?edge=c11e", 400, "{\"error\":\"edge is the id of an edge, 16 digits\"}");
    expect(web, "path?from=web", 400, whom);
    expect(web, "path?from=&to=x", 400, whom);
    web_free(web);
    graph_free(graph);
}

static void an_agent_that_sees_no_packets_says_so(void **state) {
    (void)state;
    static const char why[] = "{\"error\":\"this agent does not watch packets: see `packets` in its configuration\"}";
    struct graph *graph;
    struct web *web = serve((struct web_flows){0}, &graph);
    expect(web, "flows", 404, why);
    expect(web, "path?from=a&to=b", 404, why);
    web_free(web);
    graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_are_asked_for_by_arguments),
        cmocka_unit_test(a_path_is_between_two_ends_or_on_an_edge),
        cmocka_unit_test(an_agent_that_sees_no_packets_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
