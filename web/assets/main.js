// SPDX-License-Identifier: Apache-2.0
// The page: what is shown, from when, and what is selected. All of it stands in the address, so that it can be sent on.
import {html, render, Component} from "/preact.js";
import {get, follow, nanoseconds} from "/api.js";
import {Places} from "/layout.js";
import {MapView} from "/map.js";
import {EdgeDetail, NodeDetail, Overview} from "/panel.js";
import {Timeline} from "/timeline.js";
import * as format from "/format.js";

const RANGES = [[10, "10 s"], [60, "1 min"], [300, "5 min"], [900, "15 min"], [3600, "1 h"]];
const KEYS = [["/", "search"], ["Tab, Enter", "go to a node, open it"], ["Esc", "close, back to the map"], ["f", "fit the map to the view"], ["t", "tidy: lay the map out anew"],
    ["+ −", "zoom"], ["arrows", "move the map"], ["l", "back to live"], ["1 … 5", "10 s to 1 h"], ["?", "this list"]];
// Counters that say that something happened which the map does not show, in people's words.
const LOSSES = {
    lost_calls: "calls lost, since the kernel's ring was full: raise --ring", lost_turns_unreported: "calls lost on connections whose end was lost, too",
    ring_full_opened: "connections whose opening was lost", ring_full_closed: "connections whose end was lost", connections_refused: "connections beyond what the agent holds at once",
    sessions_full: "datagrams whose UDP session found the table full", unmatched_responses: "answers whose requests were not shown",
    edges_refused: "edges beyond what the agent holds at once", storage_refused: "sockets that got no state in the kernel (net.core.optmem_max)",
};

function fromAddress() {
    const address = new URLSearchParams(location.hash.slice(1)), range = Number(address.get("range"));
    return {
        selection: address.get("edge") ? {edge: address.get("edge")} : address.get("node") ? {node: address.get("node")} : {},
        range: RANGES.some(([seconds]) => seconds === range) ? range : 60,
        at: Number(address.get("at")) || undefined,
    };
}

// Nodes and edges that the words are about.
function search(map, text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length)
        return null;
    const has = string => words.every(word => string.toLowerCase().includes(word));
    const byId = new Map(map.nodes.map(node => [node.id, node]));
    const nodes = new Set(map.nodes.filter(node => has(`${node.name} ${node.kind} ${node.scope || ""} ${node.executable || ""}`)).map(node => node.id));
    const direct = nodes.size, edges = new Set();
    for (const edge of map.edges) {
        const client = byId.get(edge.client), server = byId.get(edge.server);
        const itself = has(`${client ? client.name : ""} ${server ? server.name : ""} ${edge.protocol} :${edge.server_port} ${edge.seen_address}`);
        if (itself || (nodes.has(edge.client) && nodes.has(edge.server)))
            edges.add(edge.id);
        if (itself && !direct)
            nodes.add(edge.client).add(edge.server);
    }
    return {nodes, edges};
}

class App extends Component {
    state = {map: null, connected: true, query: "", detail: null, timeline: null, help: false, error: "", ...fromAddress()};
    places = new Places();

    componentDidMount() {
        this.open();
        addEventListener("keydown", this.key);
        addEventListener("hashchange", () => {
            const next = fromAddress(), {range, at} = this.state;
            this.setState(next, () => (next.range !== range || next.at !== at ? this.open() : this.refresh()));
        });
        this.timelineTimer = setInterval(() => this.loadTimeline(), 5000);
        this.loadTimeline();
    }

    // Follows live, or fetches the moment once.
    open() {
        if (this.stop)
            this.stop();
        this.stop = null;
        const {at, range} = this.state;
        if (at)
            get("map", {seconds: range, to: nanoseconds(at)}).then(map => this.take(map), error => this.setState({error: error.message}));
        else
            this.stop = follow(range, map => this.take(map), connected => connected !== this.state.connected && this.setState({connected}));
        this.refresh();
    }

    take(map) {
        const started = performance.now();
        if (this.places.update(map.nodes, map.edges, this.view ? this.view.aspect : 1.6))
            this.fitSoon = true;
        this.setState({map, error: ""}, () => {
            if (this.fitSoon && this.view)
                this.view.fit();
            this.fitSoon = false;
            this.drawn = performance.now() - started;
        });
        document.title = `weft · ${map.agent && map.agent.host || ""}`;
        this.refresh();
    }

    async refresh() {
        const {selection, range, at} = this.state, id = selection.edge || selection.node;
        if (!id) {
            if (this.state.detail)
                this.setState({detail: null});
            return;
        }
        if (this.loading === id)
            return;
        this.loading = id;
        try {
            const detail = await get(`${selection.edge ? "edges" : "nodes"}/${id}`, {seconds: range, to: nanoseconds(at)});
            if ((this.state.selection.edge || this.state.selection.node) === id)
                this.setState({detail: {...detail, id}});
        } catch (error) {
            if (error.status === 404)
                this.setState({detail: {id, gone: true}});
        } finally {
            this.loading = null;
        }
    }

    async loadTimeline() {
        try {
            this.setState({timeline: await get("timeline")});
        } catch {
            // said by the state of the stream
        }
    }

    address() {
        const {selection, range, at} = this.state, address = new URLSearchParams();
        if (selection.edge || selection.node)
            address.set(selection.edge ? "edge" : "node", selection.edge || selection.node);
        if (range !== 60)
            address.set("range", range);
        if (at)
            address.set("at", Math.round(at));
        const hash = address.toString();
        if (location.hash.slice(1) !== hash)
            history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
    }

    select = selection => {
        this.setState({selection, detail: null}, () => {
            this.address();
            this.refresh();
        });
    };

    setRange = range => this.setState({range}, () => (this.address(), this.open()));

    goTo = at => {
        const live = at === undefined || at > Date.now() - 12000;
        this.setState({at: live ? undefined : at}, () => (this.address(), this.open()));
    };

    tidy = () => {
        this.places.tidy();
        this.places.update(this.state.map.nodes, this.state.map.edges, this.view.aspect);
        this.view.moved = false;
        this.setState({}, () => this.view.fit());
    };

    searchKey = event => {
        if (event.key === "Escape") {
            this.setState({query: ""});
            event.target.blur();
        } else if (event.key === "Enter" && this.state.map) {
            const found = search(this.state.map, this.state.query);
            if (!found)
                return;
            if (found.nodes.size) {
                const id = [...found.nodes][0];
                this.select({node: id});
                this.view.show(id);
            } else if (found.edges.size) {
                this.select({edge: [...found.edges][0]});
            }
        }
        event.stopPropagation();
    };

    key = event => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input"))
            return;
        const view = this.view, range = RANGES[Number(event.key) - 1];
        const actions = {
            "/": () => this.searchBox.focus(),
            Escape: () => (this.state.help ? this.setState({help: false}) : this.state.query ? this.setState({query: ""}) : this.select({})),
            f: () => view && view.fit(),
            t: () => view && this.tidy(),
            "+": () => view && view.zoom(1.25),
            "=": () => view && view.zoom(1.25),
            "-": () => view && view.zoom(0.8),
            l: () => this.goTo(undefined),
            "?": () => this.setState({help: !this.state.help}),
            ArrowLeft: () => view && view.pan(60, 0),
            ArrowRight: () => view && view.pan(-60, 0),
            ArrowUp: () => view && view.pan(0, 60),
            ArrowDown: () => view && view.pan(0, -60),
        };
        const action = actions[event.key] || (range && (() => this.setRange(range[0])));
        if (!action || (event.key.startsWith("Arrow") && event.target.closest(".panel, .timeline")))
            return;
        event.preventDefault();
        action();
    };

    losses() {
        const counters = this.state.map && this.state.map.agent && this.state.map.agent.counters || {};
        return Object.entries(LOSSES).filter(([name]) => counters[name] > 0).map(([name, text]) => ({name, text, value: counters[name]}));
    }

    header(map, found) {
        const {range, at, connected, query} = this.state, totals = map && map.totals;
        const timing = totals && format.measured(totals);
        return html`<header class="top">
            <span class="logo"><img src="/weft.svg" alt="" width="20" height="20" />weft<span class="host">${map && map.agent ? map.agent.host : ""}</span></span>
            <label class="search"><input ref=${box => (this.searchBox = box)} type="search" placeholder="Search names, protocols, :ports" aria-label="search" value=${query}
                onInput=${event => this.setState({query: event.target.value})} onKeyDown=${this.searchKey} /><kbd>/</kbd>
                ${found && html`<span class="hits">${found.nodes.size} nodes, ${found.edges.size} edges</span>`}</label>
            ${totals && html`<dl class="totals">
                <div><dt>calls</dt><dd>${format.rate(totals.rate)}</dd></div>
                <div class=${format.health(totals)}><dt>errors</dt><dd>${format.share(totals.error_share)}</dd></div>
                ${timing && html`<div><dt>p95</dt><dd>${format.duration(timing.p95)}</dd></div>`}
                <div><dt>connections</dt><dd>${format.count(totals.open_connections)}</dd></div>
                <div title=${map.opaque.reasons.map(reason => `${reason.text}: ${format.share(reason.connection_share)} of connections, ${format.share(reason.byte_share)} of bytes`).join("\n") || "everything could be read"}>
                    <dt>opaque</dt><dd>${format.share(map.opaque.byte_share)}<span class="unit"> of bytes</span></dd></div></dl>`}
            <span class="spring"></span>
            <span class="ranges" role="group" aria-label="time range">${RANGES.map(([seconds, text]) => html`<button aria-pressed=${seconds === range} onClick=${() => this.setRange(seconds)}>${text}</button>`)}</span>
            ${at ? html`<button class="state past" onClick=${() => this.goTo(undefined)} title="back to live (l)">${format.clock(at * 1e6)} · back to live</button>`
                : html`<span class=${`state ${connected ? "live" : "away"}`} role="status">${connected ? "live" : "no agent, retrying"}</span>`}
            <button class="help-button" title="keys (?)" aria-label="keys" onClick=${() => this.setState({help: true})}>?</button>
        </header>`;
    }

    notices() {
        const {connected, map, at} = this.state, losses = this.losses();
        return html`<div class="notices">
            ${!connected && !at && map && html`<div class="notice bad" role="alert">The agent does not answer. What is shown is from ${format.clock(map.to)}.</div>`}
            ${losses.length > 0 && html`<details class="notice warn"><summary>Not everything is shown: ${losses.map(loss => `${format.count(loss.value)} ${loss.text.split(":")[0].split(",")[0]}`).slice(0, 2).join("; ")}${losses.length > 2 ? ` and ${losses.length - 2} more` : ""}</summary>
                <table class="plain"><tbody>${losses.map(loss => html`<tr><td class="number">${format.count(loss.value)}</td><td>${loss.text}</td><td class="mono quiet">${loss.name}</td></tr>`)}</tbody></table>
                <p class="hint">Since the agent's start. Figures are then lower bounds for the edges concerned.</p></details>`}
        </div>`;
    }

    empty(map) {
        if (this.state.error)
            return html`<div class="empty"><h1>No answer</h1><p>${this.state.error}</p></div>`;
        if (!map)
            return html`<div class="empty"><h1>${this.state.connected ? "Asking the agent…" : "The agent does not answer"}</h1>${!this.state.connected && html`<p>Start it with <code>weft agent</code>, then this page goes on by itself.</p>`}</div>`;
        return html`<div class="empty"><h1>${this.state.at ? "Nothing was seen at that time" : "Nothing has talked yet"}</h1>
            <p>weft watches every TCP connection and UDP exchange of this host. As soon as one program calls another, both appear here, with the calls between them.</p>
            ${!this.state.at && html`<p>To try it: <code>curl http://example.com/</code>. Connections that were open before the agent started appear with their next bytes.</p>`}</div>`;
    }

    panel(map) {
        const {selection, detail} = this.state, id = selection.edge || selection.node;
        if (!map)
            return null;
        if (!id)
            return html`<${Overview} map=${map} onSelect=${this.select} />`;
        if (!detail || detail.id !== id)
            return html`<div class="panel-body"><p class="hint">…</p></div>`;
        if (detail.gone)
            return html`<div class="panel-body"><p>The last hour knows nothing of this one any more.</p><button class="plain-button" onClick=${() => this.select({})}>Back to the overview</button></div>`;
        return detail.edge ? html`<${EdgeDetail} key=${id} detail=${detail} onSelect=${this.select} />` : html`<${NodeDetail} key=${id} detail=${detail} onSelect=${this.select} />`;
    }

    render(props, {map, query, selection, range, at, timeline, help}) {
        const found = map ? search(map, query) : null, filled = map && map.nodes.length > 0;
        return html`${this.header(map, found)}${this.notices()}
            <main><section class="stage" aria-label="map">
                ${filled ? html`<${MapView} ref=${view => (this.view = view)} map=${map} places=${this.places} selection=${selection} found=${found} onSelect=${this.select} />` : this.empty(map)}
                ${filled && html`<div class="tools"><button title="zoom in (+)" aria-label="zoom in" onClick=${() => this.view.zoom(1.25)}>+</button><button title="zoom out (−)" aria-label="zoom out" onClick=${() => this.view.zoom(0.8)}>−</button>
                    <button title="fit (f)" aria-label="fit" onClick=${() => this.view.fit()}><svg class="icon" viewBox="0 0 16 16"><path d="M2 6V2h4 M10 2h4v4 M14 10v4h-4 M6 14H2v-4" /></svg></button><button title="tidy (t)" aria-label="tidy" onClick=${this.tidy}><svg class="icon" viewBox="0 0 16 16"><path d="M2 6h4v4H2z M10 2h4v4h-4z M10 10h4v4h-4z M6 8h2 M10 4H8v8h2" /></svg></button></div>
                <div class="legend"><span><i class="dot ok"></i>healthy</span><span><i class="dot warn"></i>some errors</span><span><i class="dot bad"></i>5 % and more</span><span><i class="dot idle"></i>no calls</span><span class="quiet">width: rate</span></div>`}
            </section><aside class="panel" aria-label="detail">${this.panel(map)}</aside></main>
            <${Timeline} timeline=${timeline} at=${at && at * 1e6} range=${range} onTime=${this.goTo} />
            ${help && html`<div class="veil" onClick=${() => this.setState({help: false})}><div class="help" role="dialog" aria-label="keys"><h2>Keys</h2><table class="plain"><tbody>${KEYS.map(([key, text]) => html`<tr><td><kbd>${key}</kbd></td><td>${text}</td></tr>`)}</tbody></table></div></div>`}`;
    }
}

render(html`<${App} ref=${app => (window.weft = app)} />`, document.getElementById("app"));
