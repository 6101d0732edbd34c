// SPDX-License-Identifier: Apache-2.0
// The map itself, as SVG: nodes and edges are elements, so that the keyboard, screen readers and style sheets reach
// them, and a name is a text node whatever it holds.
import {html, Component} from "/preact.js";
import {NODE} from "/layout.js";
import * as format from "/format.js";

const ICONS = {
    process: "M2 3h12v10H2z M4.5 6l2 2-2 2 M8.5 10h3",
    service: "M8 2l6 3-6 3-6-3z M2 8l6 3 6-3 M2 11l6 3 6-3",
    container: "M8 1.8l5.6 3.1v6.2L8 14.2l-5.6-3.1V4.9z M2.4 4.9L8 8l5.6-3.1 M8 8v6.2",
    pod: "M8 1.8l5.6 3.1v6.2L8 14.2l-5.6-3.1V4.9z M8 5.4l2.4 1.3v2.6L8 10.6 5.6 9.3V6.7z",
    address: "M8 2a6 6 0 100 12A6 6 0 008 2z M2 8h12 M8 2c4 4 4 8 0 12 M8 2c-4 4-4 8 0 12",
    group: "M5.5 7a2 2 0 100-4 2 2 0 000 4z M2 13c0-5 7-5 7 0 M11 7.5a1.7 1.7 0 100-3.4 M11 9.6c2 0 3 1.2 3 3.4",
};

export function Icon({kind}) {
    return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=${ICONS[kind] || ICONS.process} /></svg>`;
}

const pen = document.createElement("canvas").getContext("2d");
const fitted = new Map();

// The text, cut so that it is no wider than `width` pixels.
function fit(text, width, font) {
    const key = `${font}|${width}|${text}`;
    if (fitted.has(key))
        return fitted.get(key);
    pen.font = font;
    let cut = text;
    for (let length = text.length; pen.measureText(cut).width > width && length > 1; length = Math.floor(length * 0.93))
        cut = text.slice(0, length - 1) + "…";
    if (fitted.size > 5000)
        fitted.clear();
    fitted.set(key, cut);
    return cut;
}

const NAME_FONT = "600 13px system-ui, sans-serif", NOTE_FONT = "11px system-ui, sans-serif";

function note(node) {
    const red = node.served, timing = format.measured(red);
    if (node.stale)
        return "quiet";
    if (format.hasCalls(red))
        return `${format.rate(red.rate)}${timing ? ` · ${format.duration(timing.p95)}` : ""}`;
    const moved = red.bytes.request + red.bytes.response;
    if (red.connects || red.open_connections || moved)
        return `${red.open_connections} open · ${format.bytes(moved)}`;
    return {group: "clients elsewhere", address: "not watched here"}[node.kind] || "calls others";
}

// Processes come and go, and their number says little; that of containers is their replicas.
function replicas(node) {
    return node.kind === "container" || node.kind === "pod" ? node.instance_count : 1;
}

function nodeTitle(node) {
    const red = node.served, health = format.health(red);
    return `${node.kind} ${node.name}` + (health === "idle" ? "" : `, serves ${format.rate(red.rate)}, ${format.share(red.error_share)} errors`);
}

function NodeShape({node, at, selected, dimmed, onSelect}) {
    const health = format.health(node.served);
    const errors = format.errorCount(node.served.errors);
    const badge = errors ? format.share(node.served.error_share) : "";
    return html`<g class=${`node ${health} kind-${node.kind} ${selected ? "selected" : ""} ${dimmed ? "dimmed" : ""} ${node.stale ? "stale" : ""}`}
            transform=${`translate(${at.x} ${at.y})`} tabindex="0" role="button" data-id=${node.id}
            aria-label=${nodeTitle(node)} aria-pressed=${selected}
            onClick=${() => onSelect({node: node.id})}
            onKeyDown=${event => (event.key === "Enter" || event.key === " ") && (event.preventDefault(), onSelect({node: node.id}))}>
        <title>${nodeTitle(node)}</title>
        <rect class="halo" x="-4" y="-4" width=${NODE.width + 8} height=${NODE.height + 8} rx="11" />
        <rect class="box" width=${NODE.width} height=${NODE.height} rx="8" />
        <path class="accent" d=${`M8 .5h-1a6.5 6.5 0 00-6.5 6.5v${NODE.height - 14}a6.5 6.5 0 006.5 6.5h1z`} transform="scale(.62 1)" />
        <g transform="translate(13 8)"><path class="glyph" d=${ICONS[node.kind] || ICONS.process} /></g>
        <text class="name" x="36" y="20">${fit(node.name, NODE.width - (replicas(node) > 1 ? 72 : 46), NAME_FONT)}</text>
        ${replicas(node) > 1 && html`<text class="count" x=${NODE.width - 10} y="20" text-anchor="end">×${replicas(node)}</text>`}
        <text class="note" x="36" y="36">${fit(note(node), NODE.width - 46 - (badge ? 48 : 0), NOTE_FONT)}</text>
        ${badge && html`<text class="badge" x=${NODE.width - 10} y="36" text-anchor="end">${badge}</text>`}
    </g>`;
}

// Each end of each edge gets a place of its own along the side of its node, in the order of the other ends.
function sides(edges, places) {
    const down = places.way.name === "down", axis = down ? "x" : "y";
    const out = new Map(), into = new Map();
    for (const edge of edges) {
        (out.get(edge.client) || out.set(edge.client, []).get(edge.client)).push(edge);
        (into.get(edge.server) || into.set(edge.server, []).get(edge.server)).push(edge);
    }
    const offsets = new Map();
    const spread = (list, end, other) => {
        list.sort((a, b) => places.get(a[other])[axis] - places.get(b[other])[axis] || (a.id < b.id ? -1 : 1));
        const step = down ? Math.min(18, (NODE.width - 30) / list.length) : Math.min(9, (NODE.height - 16) / list.length);
        list.forEach((edge, index) => offsets.set(`${edge.id}/${end}`, (index - (list.length - 1) / 2) * step));
    };
    for (const list of out.values())
        spread(list, "out", "server");
    for (const list of into.values())
        spread(list, "in", "client");
    return {offset: (edge, end) => offsets.get(`${edge.id}/${end}`), out, into};
}

// From the side of the caller that looks the way of calls to the opposite side of the called one: cubic curves.
function curves(edge, places, side) {
    const from = places.get(edge.client), to = places.get(edge.server), down = places.way.name === "down";
    const out = side.offset(edge, "out"), into = side.offset(edge, "in");
    const a = down ? {x: from.x + NODE.width / 2 + out, y: from.y + NODE.height} : {x: from.x + NODE.width, y: from.y + NODE.height / 2 + out};
    const d = down ? {x: to.x + NODE.width / 2 + into, y: to.y - 5} : {x: to.x - 5, y: to.y + NODE.height / 2 + into};
    const stops = [a, ...places.route(edge), d];
    return stops.slice(1).map((stop, index) => between(stops[index], stop, down, edge.client === edge.server));
}

function between(a, d, down, self) {
    const way = down ? d.y - a.y : d.x - a.x, across = down ? d.x - a.x : d.y - a.y;
    const reach = way > 0 ? Math.max(30, way * 0.5) : Math.min(240, 80 - way * 0.3);
    // Back to where it came from: around the node, not through it.
    const aside = self || (way <= 0 && Math.abs(across) < (down ? NODE.width : NODE.height)) ? (down ? NODE.width : -NODE.height * 1.4) : 0;
    return down ? [a, {x: a.x + aside, y: a.y + reach}, {x: d.x + aside, y: d.y - reach}, d] : [a, {x: a.x + reach, y: a.y + aside}, {x: d.x - reach, y: d.y + aside}, d];
}

function lineOf(parts) {
    return parts.map(([a, b, c, d], index) => `${index ? "" : `M${a.x} ${a.y}`}C${b.x} ${b.y} ${c.x} ${c.y} ${d.x} ${d.y}`).join("");
}

function point([a, b, c, d], t) {
    const s = 1 - t, at = key => s * s * s * a[key] + 3 * s * s * t * b[key] + 3 * s * t * t * c[key] + t * t * t * d[key];
    return {x: at("x"), y: at("y")};
}

const LABEL_FONT = "10.5px system-ui, sans-serif", LABEL_HEIGHT = 15;

function overlaps(a, b) {
    return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

// A place on its curve for each label, where it covers neither a node nor a label that came before.
function labels(edges, paths, places, side) {
    const taken = [...places.places.values()].map(at => ({x: at.x, y: at.y, width: NODE.width, height: NODE.height}));
    const found = [];
    for (const edge of edges) {
        const [protocol, text, badge] = edgeText(edge), parts = paths.get(edge.id);
        pen.font = LABEL_FONT;
        const width = pen.measureText(`${protocol} ${text}${badge && " " + badge}`).width + 10;
        const early = side.into.get(edge.server).length >= side.out.get(edge.client).length;
        const part = parts[early ? 0 : parts.length - 1];
        for (const t of early ? [0.42, 0.55, 0.3, 0.68, 0.2] : [0.58, 0.45, 0.7, 0.32, 0.8]) {
            const at = point(part, t), box = {x: at.x - width / 2, y: at.y - LABEL_HEIGHT / 2, width, height: LABEL_HEIGHT};
            if (taken.some(other => overlaps(box, other)))
                continue;
            taken.push(box);
            found.push({edge, box, at, protocol, text, badge});
            break;
        }
    }
    return found;
}

function edgeWidth(edge) {
    const weight = format.hasCalls(edge) ? edge.rate || 0 : (edge.bytes.request + edge.bytes.response) / 1e5;
    return Math.min(7, 1.3 + Math.log10(1 + weight) * 1.25);
}

// Protocol, figures, and the share of errors if there are any.
function edgeText(edge) {
    const errors = format.errorCount(edge.errors), timing = format.measured(edge);
    const badge = errors > 0 && edge.error_share !== undefined ? format.share(edge.error_share) : "";
    const figures = format.hasCalls(edge) ? `${format.rate(edge.rate)}${timing ? ` · ${format.duration(timing.p95)}` : ""}` : edge.errors.connect ? `${edge.errors.connect} failed` : "";
    return [edge.protocol, figures, badge];
}

function edgeTitle(edge, names) {
    const timing = format.measured(edge);
    return `${names.get(edge.client)} to ${names.get(edge.server)}, ${edge.protocol} port ${edge.server_port}, ${format.rate(edge.rate)}, ` +
        `${format.share(edge.error_share)} errors${timing ? `, p95 ${format.duration(timing.p95)}` : ""}`;
}

function EdgeShape({edge, line, names, selected, dimmed, onSelect}) {
    const title = edgeTitle(edge, names), health = format.health(edge);
    return html`<g class=${`edge ${health} ${selected ? "selected" : ""} ${dimmed ? "dimmed" : ""} ${edge.stale ? "stale" : ""}`}
            role="button" tabindex=${selected ? 0 : -1} data-id=${edge.id} aria-label=${title}
            onClick=${() => onSelect({edge: edge.id})}>
        <title>${title}</title>
        <path class="touch" d=${line} />
        <path class="line" d=${line} stroke-width=${edgeWidth(edge)} marker-end=${`url(#arrow-${health})`} />
    </g>`;
}

function Label({label: {edge, box, at, protocol, text, badge}}) {
    return html`<g class=${`label ${format.health(edge)} ${edge.stale ? "stale" : ""}`} aria-hidden="true">
        <rect x=${box.x} y=${box.y} width=${box.width} height=${box.height} rx="3" />
        <text x=${at.x} y=${at.y + 3.5} text-anchor="middle"><tspan class="protocol">${protocol}</tspan> ${text}${badge && html`<tspan class="badge"> ${badge}</tspan>`}</text></g>`;
}

const LABELS_MAX = 60; /* beyond, labels are for what is looked at */

export class MapView extends Component {
    state = {x: 0, y: 0, scale: 1};
    moved = false; // by hand: then it is not fitted any more

    componentDidMount() {
        this.observer = new ResizeObserver(() => this.moved || this.fit());
        this.observer.observe(this.base);
        this.base.addEventListener("wheel", this.wheel, {passive: false});
        this.fit();
    }

    componentWillUnmount() {
        this.observer.disconnect();
    }

    componentDidUpdate(before) {
        if (!this.moved && before.map.nodes.length !== this.props.map.nodes.length)
            this.fit();
    }

    get aspect() {
        const box = this.base && this.base.getBoundingClientRect();
        return box && box.height ? box.width / box.height : 1.6;
    }

    fit = () => {
        const box = this.base.getBoundingClientRect();
        const places = this.props.map.nodes.map(node => this.props.places.get(node.id)).filter(Boolean);
        if (!places.length || !box.width)
            return;
        const left = Math.min(...places.map(at => at.x)) - 40, right = Math.max(...places.map(at => at.x)) + NODE.width + 40;
        const top = Math.min(...places.map(at => at.y)) - 44, bottom = Math.max(...places.map(at => at.y)) + NODE.height + 40;
        const free = {width: box.width, height: box.height - 44}; // the tools and the legend stand below
        const scale = Math.min(1.25, free.width / (right - left), free.height / (bottom - top));
        this.moved = false;
        this.setState({scale, x: (free.width - (left + right) * scale) / 2, y: (free.height - (top + bottom) * scale) / 2});
    };

    // Brings a node into view without changing the scale.
    show(id) {
        const at = this.props.places.get(id), box = this.base.getBoundingClientRect();
        if (!at)
            return;
        const {x, y, scale} = this.state;
        const left = at.x * scale + x, top = at.y * scale + y;
        if (left < 20 || top < 20 || left + NODE.width * scale > box.width - 20 || top + NODE.height * scale > box.height - 20)
            this.setState({x: box.width / 2 - (at.x + NODE.width / 2) * scale, y: box.height / 2 - (at.y + NODE.height / 2) * scale});
        this.moved = true;
    }

    zoom(factor, at) {
        const box = this.base.getBoundingClientRect(), centre = at || {x: box.width / 2, y: box.height / 2};
        const {x, y, scale} = this.state, next = Math.min(4, Math.max(0.08, scale * factor));
        this.moved = true;
        this.setState({scale: next, x: centre.x - (centre.x - x) * next / scale, y: centre.y - (centre.y - y) * next / scale});
    }

    pan(dx, dy) {
        this.moved = true;
        this.setState(({x, y}) => ({x: x + dx, y: y + dy}));
    }

    wheel = event => {
        event.preventDefault();
        const box = this.base.getBoundingClientRect();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), {x: event.clientX - box.left, y: event.clientY - box.top});
    };

    drag = event => {
        if (event.button || event.target.closest(".node, .edge"))
            return;
        const from = {x: event.clientX, y: event.clientY}, {x, y} = this.state;
        let far = false;
        const move = now => {
            far = far || Math.hypot(now.clientX - from.x, now.clientY - from.y) > 4;
            this.moved = this.moved || far;
            this.setState({x: x + now.clientX - from.x, y: y + now.clientY - from.y});
        };
        const end = () => {
            removeEventListener("pointermove", move);
            removeEventListener("pointerup", end);
            if (!far)
                this.props.onSelect({});
        };
        addEventListener("pointermove", move);
        addEventListener("pointerup", end);
    };

    render({map, places, selection, found, onSelect}, {x, y, scale}) {
        const edges = map.edges.filter(edge => places.get(edge.client) && places.get(edge.server));
        const names = new Map(map.nodes.map(node => [node.id, node.name]));
        const side = sides(edges, places);
        const touches = edge => selection.edge ? edge.id === selection.edge : edge.client === selection.node || edge.server === selection.node;
        const near = new Set(edges.filter(touches).flatMap(edge => [edge.client, edge.server]).concat(selection.node || []));
        const focused = selection.node ? names.has(selection.node) : selection.edge && near.size > 0;
        const dimNode = node => found ? !found.nodes.has(node.id) : focused && !near.has(node.id);
        const dimEdge = edge => found ? !found.edges.has(edge.id) : focused && !touches(edge);
        const labelled = edge => !dimEdge(edge) && ((scale > 0.45 && edges.length <= LABELS_MAX) || focused || found || scale > 1.3);
        const weight = edge => touches(edge) * 1e9 + format.errorCount(edge.errors);
        const order = [...edges].sort((a, b) => weight(a) - weight(b));
        const paths = new Map(edges.map(edge => [edge.id, curves(edge, places, side)]));
        const shown = labels(order.filter(labelled).reverse(), paths, places, side);
        return html`<svg class="map" onPointerDown=${this.drag} aria-label="service map" role="group">
            <defs>${["ok", "warn", "bad", "idle"].map(health => html`
                <marker id=${`arrow-${health}`} class=${`arrow ${health}`} viewBox="0 0 8 8" refX="5" refY="4" markerWidth="9" markerHeight="9"
                    markerUnits="userSpaceOnUse" orient="auto"><path d="M0 .8L7.2 4 0 7.2z" /></marker>`)}</defs>
            <g transform=${`translate(${x} ${y}) scale(${scale})`} class=${`${scale < 0.45 ? "far" : ""} ${edges.length > LABELS_MAX ? "many" : ""}`}>
                <g>${order.map(edge => html`<${EdgeShape} key=${edge.id} edge=${edge} line=${lineOf(paths.get(edge.id))} names=${names}
                    selected=${edge.id === selection.edge} dimmed=${dimEdge(edge)} onSelect=${onSelect} />`)}</g>
                <g>${shown.map(label => html`<${Label} key=${label.edge.id} label=${label} />`)}</g>
                <g>${map.nodes.map(node => html`<${NodeShape} key=${node.id} node=${node} at=${places.get(node.id)}
                    selected=${node.id === selection.node} dimmed=${dimNode(node)} onSelect=${onSelect} />`)}</g>
            </g>
        </svg>`;
    }
}
