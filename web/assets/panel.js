// SPDX-License-Identifier: Apache-2.0
// What stands beside the map: the overview, or one edge or one node in detail.
import {html, useState} from "/preact.js";
import {Chart} from "/chart.js";
import {Icon} from "/map.js";
import {Path} from "/path.js";
import * as format from "/format.js";

const PROOFS = {
    connect: "its connect was seen", accept: "its accept was seen", listen: "guessed from listening ports", none: "not known",
    first: "who sent the first datagram",
};
const OBSERVED = {both: "both ends are on this host", client: "only the client is on this host", server: "only the server is on this host"};

function Figure({name, value, state, title}) {
    return html`<div class=${`figure ${state || ""}`} title=${title}><dt>${name}</dt><dd>${value}</dd></div>`;
}

function Figures({red}) {
    const timing = red.calls > 0 && red.duration, client = red.calls > 0 && red.client_duration, health = format.health(red);
    return html`<dl class="figures">
        ${format.hasCalls(red) && html`<${Figure} name="rate" value=${format.rate(red.rate)} /><${Figure} name="calls" value=${format.count(red.calls)} />`}
        <${Figure} name="errors" value=${format.share(red.error_share)} state=${health} title="server errors, timeouts, calls without answer, failed connects" />
        ${red.errors.client_error > 0 && html`<${Figure} name="client errors" value=${format.share(red.client_error_share)} title="the request's own fault: shown, never coloured" />`}
        ${timing && html`<${Figure} name="p50" value=${format.duration(timing.p50)} title="at the server" />
            <${Figure} name="p95" value=${format.duration(timing.p95)} title="at the server" />
            <${Figure} name="p99" value=${format.duration(timing.p99)} title="at the server" />`}
        ${client && html`<${Figure} name="client p95" value=${format.duration(client.p95)} title="at the client: with the way there and back, and the wait before the server reads" />`}
        <${Figure} name="sent" value=${format.bytes(red.bytes.request)} title="bytes from client to server" />
        <${Figure} name="received" value=${format.bytes(red.bytes.response)} title="bytes from server to client" />
        <${Figure} name="connects" value=${format.count(red.connects)} />
        <${Figure} name="open now" value=${format.count(red.open_connections)} />
        ${red.in_flight > 0 && html`<${Figure} name="in flight" value=${format.count(red.in_flight)} />`}
        ${red.waiting > 0 && html`<${Figure} name="waiting" value=${format.count(red.waiting)} title="calls that wait by their meaning; in no percentile" />`}
        ${red.retransmits > 0 && html`<${Figure} name="sent again" value=${format.count(red.retransmits)} title="TCP segments that either end sent again" />`}
        ${red.dropped > 0 && html`<${Figure} name="dropped" value=${format.count(red.dropped)} state="warn" title="packets that the kernel dropped" />`}
        ${red.lost > 0 && html`<${Figure} name="lost" value=${format.count(red.lost)} state="warn" title="calls that did not fit into the kernel's ring" />`}
    </dl>`;
}

const ERRORS = {server_error: "server errors", timeout: "timeouts", no_response: "connection ended without an answer", client_error: "client errors"};

function Failures({red, failures}) {
    const rows = Object.entries(ERRORS).map(([key, text]) => [text, red.errors[key], key !== "client_error"])
        .concat(Object.entries(failures || {}).map(([name, number]) => [`connect: ${name}`, number, true])).filter(row => row[1] > 0);
    return rows.length > 0 && html`<h3>What went wrong</h3><table class="plain"><tbody>
        ${rows.map(([text, number, red]) => html`<tr class=${red ? "is-bad" : ""}><td>${text}</td><td class="number">${format.count(number)}</td></tr>`)}</tbody></table>`;
}

function Charts({series, range}) {
    if (!series || series.time.length < 2)
        return html`<p class="hint">The course over time appears after two windows.</p>`;
    const perSecond = value => format.rate(value), common = {times: series.time, range};
    const called = series.rate.some(value => value > 0);
    return html`<div class="charts">
        ${called ? html`<${Chart} title="Rate" ...${common} format=${perSecond} lines=${[{label: "calls", colour: "--accent", values: series.rate, fill: true}]} />`
            : html`<${Chart} title="Traffic" ...${common} format=${value => format.bytes(value) + "/s"} lines=${[{label: "bytes", colour: "--accent", values: series.bytes, fill: true}]} />`}
        <${Chart} title="Errors" height=${72} ...${common} format=${perSecond} lines=${[{label: "red", colour: "--bad", values: series.errors, fill: true}, {label: "client", colour: "--quiet", values: series.client_errors}]} />
        ${called && html`<${Chart} title="Duration" ...${common} format=${format.duration} lines=${[{label: "p50", colour: "--p50", values: series.p50}, {label: "p95", colour: "--p95", values: series.p95}, {label: "p99", colour: "--p99", values: series.p99}]} />`}
    </div>`;
}

function Endpoints({endpoints}) {
    const [by, sortBy] = useState("calls");
    if (!endpoints.length)
        return null;
    const value = {calls: row => row.calls, errors: row => row.errors, p50: row => row.duration ? row.duration.p50 : 0, p95: row => row.duration ? row.duration.p95 : 0, p99: row => row.duration ? row.duration.p99 : 0};
    const rows = [...endpoints].sort((a, b) => value[by](b) - value[by](a));
    const head = (key, text) => html`<th class="number" aria-sort=${by === key ? "descending" : "none"}><button onClick=${() => sortBy(key)}>${text}</button></th>`;
    return html`<h3>Endpoints</h3><table class="endpoints"><thead><tr><th>endpoint</th>${head("calls", "rate")}${head("errors", "errors")}${head("p50", "p50")}${head("p95", "p95")}${head("p99", "p99")}</tr></thead>
        <tbody>${rows.map(row => html`<tr><td class="name" title=${`${row.operation || ""} ${row.endpoint}`}><span class="operation">${row.operation || ""}</span> ${row.endpoint}</td>
            <td class="number" title=${`${row.calls} calls`}>${format.rate(row.rate)}</td>
            <td class=${`number ${row.errors ? "is-bad" : ""}`}>${row.errors ? format.share(row.errors / Math.max(row.calls, row.errors)) : "0"}</td>
            ${["p50", "p95", "p99"].map(key => html`<td class="number">${row.duration ? format.duration(row.duration[key]) : "–"}</td>`)}</tr>`)}</tbody></table>`;
}

function Head({children, onClose}) {
    return html`<header class="panel-head"><div>${children}</div><button class="close" onClick=${onClose} title="close (Esc)" aria-label="close">✕</button></header>`;
}

function NodeLink({node, onSelect}) {
    return html`<button class="link" onClick=${() => onSelect({node: node.id})}><${Icon} kind=${node.kind} />${node.name}</button>`;
}

export function EdgeDetail({detail, onSelect}) {
    const edge = detail.edge;
    return html`<${Head} onClose=${() => onSelect({})}>
            <div class="pair"><${NodeLink} node=${edge.client} onSelect=${onSelect} /><span class="arrow">→</span><${NodeLink} node=${edge.server} onSelect=${onSelect} /></div>
            <div class="tags"><span class="tag strong">${edge.protocol}</span><span class="tag">port ${edge.server_port}</span>
                <span class="tag" title="what the client connected to">${edge.seen_address}${edge.seen_port && edge.seen_port !== edge.server_port ? ` port ${edge.seen_port}` : ""}</span>
                ${edge.client_addresses > 0 && html`<span class="tag" title="addresses that the client stands for, in the window with most of them">${edge.client_addresses}${edge.client_addresses_more ? "+" : ""} client addresses</span>`}
                ${edge.tls && html`<span class="tag" title="the bytes are encrypted: calls cannot be read">TLS</span>`}
                ${edge.stale && html`<span class="tag" title="nothing happened in the time shown">quiet</span>`}</div>
        </${Head}>
        <div class="panel-body" data-detail=${edge.id}>
            <${Figures} red=${edge} />
            <${Charts} series=${detail.series} range=${detail} />
            <${Failures} red=${edge} failures=${edge.connect_failures} />
            <${Endpoints} endpoints=${edge.endpoints} />
            <${Path} key=${edge.id} edge=${edge.id} />
            <p class="hint">${OBSERVED[edge.observed_at]}. Who called whom: ${PROOFS[edge.direction_proof] || edge.direction_proof}.</p>
        </div>`;
}

function Edges({title, edges, end, onSelect}) {
    return edges.length > 0 && html`<h3>${title}</h3><table class="edges"><tbody>${[...edges].sort((a, b) => b.rate - a.rate).map(edge => html`
        <tr class=${`row ${format.health(edge)} ${edge.stale ? "stale" : ""}`} onClick=${() => onSelect({edge: edge.id})}>
            <td class="name"><button class="link" onClick=${() => onSelect({edge: edge.id})}><i class=${`dot ${format.health(edge)}`}></i><${Icon} kind=${edge[end].kind} />${edge[end].name}</button></td>
            <td>${edge.protocol}<span class="quiet">:${edge.server_port}</span></td>
            <td class="number">${format.hasCalls(edge) ? format.rate(edge.rate) : format.bytes(edge.bytes.request + edge.bytes.response)}</td>
            <td class=${`number ${format.errorCount(edge.errors) ? "is-bad" : ""}`}>${format.share(edge.error_share)}</td>
            <td class="number">${format.measured(edge) ? format.duration(format.measured(edge).p95) : "–"}</td></tr>`)}</tbody></table>`;
}

const FACTS = [["executable", "program"], ["script", "runs"], ["language", "language"], ["tls_library", "TLS library"], ["runtime", "runtime"], ["scope", "belongs to"], ["build_id", "build id"]];

export function NodeDetail({detail, onSelect}) {
    const node = detail.node, served = detail.incoming.length > 0;
    const facts = FACTS.filter(([key]) => node[key]).map(([key, text]) => [text, key === "language" ? `${node.language} ${node.language_version || ""}` : node[key]]);
    return html`<${Head} onClose=${() => onSelect({})}>
            <div class="pair"><${Icon} kind=${node.kind} /><b class="title">${node.name}</b></div>
            <div class="tags"><span class="tag strong">${node.kind}</span>${node.stale && html`<span class="tag">quiet</span>`}
                ${node.stale_name && html`<span class="tag" title="the name is that of the address's former owner">old name</span>`}
                ${node.inferred && html`<span class="tag" title="taken from the pod's name">name deduced</span>`}</div>
        </${Head}>
        <div class="panel-body" data-detail=${node.id}>
            ${facts.length > 0 && html`<table class="plain facts"><tbody>${facts.map(([text, value]) => html`<tr><td>${text}</td><td class="mono">${value}</td></tr>`)}</tbody></table>`}
            ${served && html`<h3>Served</h3><${Figures} red=${node.served} /><${Charts} series=${detail.series} range=${detail} />`}
            <${Edges} title="Called by" edges=${detail.incoming} end="client" onSelect=${onSelect} />
            <${Edges} title="Calls" edges=${detail.outgoing} end="server" onSelect=${onSelect} />
            ${node.instances && node.instances.length > 0 && html`<h3>Instances <span class="quiet">${node.instances.length}${node.instances_more ? ` and ${node.instances_more} more` : ""}</span></h3>
                <table class="plain"><tbody>${node.instances.map(one => html`<tr><td class="mono">${one.container || one.pod || (one.container_id || "").slice(0, 12) || `pid ${one.pid}`}</td>
                    <td class="mono quiet">${one.image || (one.container_id && one.pid ? `pid ${one.pid}` : "")}</td></tr>`)}</tbody></table>`}
        </div>`;
}

function Opaque({opaque}) {
    if (!opaque.connections && !opaque.bytes)
        return html`<p class="hint">Everything seen in this time could be read.</p>`;
    return html`<p class="share"><b>${format.share(opaque.connection_share)}</b> of connections and <b>${format.share(opaque.byte_share)}</b> of bytes are counted but cannot be read:</p>
        <table class="plain opaque"><tbody>${opaque.reasons.map(reason => html`<tr><td>${reason.text}</td><td class="number">${format.share(reason.connection_share)} <span class="quiet">conn.</span></td>
            <td class="number">${format.share(reason.byte_share)} <span class="quiet">bytes</span></td></tr>`)}</tbody></table>`;
}

export function Overview({map, onSelect}) {
    const nodes = new Map(map.nodes.map(node => [node.id, node]));
    const rows = map.edges.filter(edge => !edge.stale && nodes.has(edge.client) && nodes.has(edge.server))
        .map(edge => ({...edge, client: nodes.get(edge.client), server: nodes.get(edge.server)}));
    const red = rows.filter(edge => format.errorCount(edge.errors) > 0).sort((a, b) => b.error_share - a.error_share).slice(0, 8);
    const slow = rows.filter(edge => format.measured(edge)).sort((a, b) => format.measured(b).p95 - format.measured(a).p95).slice(0, 8);
    const busy = [...rows].sort((a, b) => (b.rate || 0) - (a.rate || 0)).filter(edge => edge.calls > 0).slice(0, 8);
    const list = (edges, value, state) => html`<table class="edges"><tbody>${edges.map(edge => html`<tr class="row" onClick=${() => onSelect({edge: edge.id})}>
        <td class="name"><button class="link" onClick=${() => onSelect({edge: edge.id})}><i class=${`dot ${format.health(edge)}`}></i>${edge.client.name}<span class="arrow">→</span>${edge.server.name}</button></td>
        <td class="quiet">${edge.protocol}</td><td class=${`number ${state || ""}`}>${value(edge)}</td></tr>`)}</tbody></table>`;
    return html`<header class="panel-head"><div><b class="title">Overview</b><div class="hint">of ${format.seconds(map.seconds || 0)}, ${map.nodes.length} nodes, ${map.edges.length} edges</div></div></header>
        <div class="panel-body">
            <h3>Failing</h3>${red.length ? list(red, edge => format.share(edge.error_share), "is-bad") : html`<p class="hint">No server error, timeout, missing answer or failed connect.</p>`}
            ${busy.length > 0 && html`<h3>Busiest <span class="quiet">calls per second</span></h3>${list(busy, edge => format.rate(edge.rate))}`}
            ${slow.length > 0 && html`<h3>Slowest <span class="quiet">p95</span></h3>${list(slow, edge => format.duration(format.measured(edge).p95))}`}
            <h3>Not readable</h3><${Opaque} opaque=${map.opaque} />
        </div>`;
}
