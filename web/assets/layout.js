// SPDX-License-Identifier: Apache-2.0
// Where nodes stand. Callers stand left of what they call. Each group of connected nodes is laid out by dagre, columns
// that would be too tall are folded, and the groups are packed into the shape of the view.
//
// A node keeps its place once it has one: `Places` puts new nodes beside their neighbours and moves nobody.
import {Graph, layout} from "/dagre.js";

export const NODE = {width: 190, height: 46};
const GROUP_GAP = 56;

// Callers left of what they call, or above: whichever lets the map be larger in the view. `main` is the way of calls.
const WAYS = [
    {name: "right", rankdir: "LR", main: NODE.width, cross: NODE.height, rankGap: 128, gap: 26, turn: (main, cross) => ({x: main, y: cross})},
    {name: "down", rankdir: "TB", main: NODE.height, cross: NODE.width, rankGap: 88, gap: 30, turn: (main, cross) => ({x: cross, y: main})},
];

function components(nodes, edges) {
    const group = new Map(nodes.map(node => [node.id, node.id]));
    const find = id => {
        while (group.get(id) !== id)
            id = group.get(id);
        return id;
    };
    for (const edge of edges)
        group.set(find(edge.client), find(edge.server));
    const found = new Map();
    for (const node of nodes) {
        const root = find(node.id);
        if (!found.has(root))
            found.set(root, {nodes: [], edges: []});
        found.get(root).nodes.push(node);
    }
    for (const edge of edges)
        found.get(find(edge.client)).edges.push(edge);
    return [...found.values()];
}

// The nodes of each rank, in their order along it; `main` and `cross` are those of the node's centre.
function ranks(part, way) {
    const graph = new Graph();
    graph.setGraph({rankdir: way.rankdir, nodesep: way.gap, ranksep: way.rankGap, edgesep: 12, ranker: part.nodes.length > 150 ? "longest-path" : "network-simplex"});
    graph.setDefaultEdgeLabel(() => ({}));
    for (const node of part.nodes)
        graph.setNode(node.id, {...NODE});
    for (const edge of part.edges)
        if (edge.client !== edge.server)
            graph.setEdge(edge.client, edge.server);
    layout(graph);
    const found = new Map();
    for (const node of part.nodes) {
        const {x, y} = graph.node(node.id), main = way.rankdir === "LR" ? x : y, cross = way.rankdir === "LR" ? y : x;
        if (!found.has(main))
            found.set(main, []);
        found.get(main).push({id: node.id, main, cross});
    }
    // The bends of calls that pass a rank; the first and the last point are where dagre meets the nodes.
    const bends = part.edges.filter(edge => edge.client !== edge.server).map(edge => {
        const points = graph.edge(edge.client, edge.server).points, client = graph.node(edge.client), server = graph.node(edge.server);
        const forward = way.rankdir === "LR" ? client.x < server.x : client.y < server.y;
        return {key: `${edge.client} ${edge.server}`, points: forward && points.length > 3 ? points.slice(1, -1).filter((point, index, all) => index % 2 || all.length < 3) : []};
    });
    const list = [...found.keys()].sort((a, b) => a - b).map(main => found.get(main).sort((a, b) => a.cross - b.cross));
    return {list, bends};
}

function box(nodes, way, main, cross) {
    const turned = way.turn(main, cross);
    return {nodes: nodes.map(node => ({id: node.id, ...way.turn(node.main, node.cross)})), width: turned.x, height: turned.y};
}

// Ranks of at most `most` nodes; a longer one becomes several in a row, centred on the others.
function fold(list, most, way) {
    const pitch = {main: way.main + 26, cross: way.cross + way.gap};
    const longest = Math.min(most, Math.max(...list.map(rank => rank.length)));
    const placed = [];
    let main = 0;
    for (const rank of list) {
        const deep = Math.ceil(rank.length / most), long = Math.ceil(rank.length / deep);
        rank.forEach((node, index) => placed.push({
            id: node.id,
            main: main + (index % deep) * pitch.main,
            cross: ((longest - long) / 2 + Math.floor(index / deep)) * pitch.cross,
        }));
        main += (deep - 1) * pitch.main + way.main + way.rankGap;
    }
    return box(placed, way, main - way.rankGap, longest * pitch.cross - way.gap);
}

function unfolded({list, bends}, way) {
    const nodes = list.flat(), first = Math.min(...nodes.map(node => node.main)), top = Math.min(...nodes.map(node => node.cross));
    const moved = nodes.map(node => ({id: node.id, main: node.main - first, cross: node.cross - top}));
    const shape = box(moved, way, Math.max(...moved.map(node => node.main)) + way.main, Math.max(...moved.map(node => node.cross)) + way.cross);
    const from = way.turn(first - way.main / 2, top - way.cross / 2);
    shape.routes = bends.filter(bend => bend.points.length).map(({key, points}) => ({key, points: points.map(point => ({x: point.x - from.x, y: point.y - from.y}))}));
    return shape;
}

const LONG = 12; /* nodes of a rank that are shown in one line, whatever the shape of the view */

function place(part, way, aspect) {
    const ranked = ranks(part, way), list = ranked.list, plain = unfolded(ranked, way);
    const misfit = shape => Math.abs(Math.log(shape.width / shape.height / aspect));
    const longest = Math.max(...list.map(rank => rank.length));
    let best = plain;
    for (let most = LONG; longest > LONG && most <= longest; most++) {
        const folded = fold(list, most, way);
        if (misfit(folded) < misfit(best))
            best = folded;
    }
    return best;
}

// Shelves: boxes side by side, as wide as the widest or as the wanted shape asks for.
function pack(boxes, aspect) {
    boxes.sort((a, b) => b.height - a.height || b.width - a.width);
    const area = boxes.reduce((sum, box) => sum + (box.width + GROUP_GAP) * (box.height + GROUP_GAP), 0);
    const limit = Math.max(Math.sqrt(area * aspect), ...boxes.map(box => box.width));
    let x = 0, y = 0, shelf = 0;
    const places = new Map(), routes = new Map();
    for (const box of boxes) {
        if (x && x + box.width > limit) {
            x = 0;
            y += shelf + GROUP_GAP;
            shelf = 0;
        }
        for (const node of box.nodes)
            places.set(node.id, {x: x + node.x, y: y + node.y});
        for (const route of box.routes || [])
            routes.set(route.key, route.points.map(point => ({x: x + point.x, y: y + point.y})));
        box.right = x + box.width;
        x += box.width + GROUP_GAP * 1.5;
        shelf = Math.max(shelf, box.height);
    }
    return {places, routes, width: Math.max(...boxes.map(box => box.right)), height: y + shelf};
}

function arrange(nodes, edges, aspect) {
    const parts = components(nodes, edges);
    const scale = arranged => Math.min(aspect / arranged.width, 1 / arranged.height);
    return WAYS.map(way => ({way, ...pack(parts.map(part => place(part, way, aspect)), aspect)})).sort((a, b) => scale(b) - scale(a))[0];
}

export class Places {
    constructor() {
        this.places = new Map();
        this.routes = new Map(); // "client server" -> points that their edges pass on the way
        this.way = WAYS[0];
    }

    tidy() {
        this.places.clear();
    }

    // Places for all nodes. True if what was there has been laid out anew.
    update(nodes, edges, aspect) {
        const fresh = nodes.filter(node => !this.places.has(node.id));
        if (!fresh.length)
            return false;
        const known = nodes.length - fresh.length;
        if (known < 4 || fresh.length > known) {
            const arranged = arrange(nodes, edges, aspect);
            this.places = arranged.places;
            this.routes = arranged.routes;
            this.way = arranged.way;
            return true;
        }
        for (const node of fresh)
            this.places.set(node.id, this.#beside(node, nodes, edges));
        return false;
    }

    get(id) {
        return this.places.get(id);
    }

    route(edge) {
        return this.routes.get(`${edge.client} ${edge.server}`) || [];
    }

    #beside(node, nodes, edges) {
        const step = this.way.turn(this.way.main + this.way.rankGap, 0);
        for (const edge of edges) {
            const server = edge.client === node.id && this.places.get(edge.server);
            const client = edge.server === node.id && this.places.get(edge.client);
            const near = server || client, sign = server ? -1 : 1;
            if (near && edge.client !== edge.server)
                return this.#free(near.x + sign * step.x, near.y + sign * step.y);
        }
        const shown = nodes.map(other => this.places.get(other.id)).filter(Boolean);
        return this.#free(Math.min(...shown.map(at => at.x)), Math.max(...shown.map(at => at.y)) + NODE.height + GROUP_GAP);
    }

    // The free place nearest to (x, y) along its rank.
    #free(x, y) {
        const step = this.way.turn(0, this.way.cross + this.way.gap), taken = [...this.places.values()];
        for (let i = 0;; i++)
            for (const sign of [1, -1]) {
                const at = {x: x + sign * i * step.x, y: y + sign * i * step.y};
                if (!taken.some(other => Math.abs(other.x - at.x) < NODE.width + 10 && Math.abs(other.y - at.y) < NODE.height + 10))
                    return at;
            }
    }
}
