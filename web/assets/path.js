// SPDX-License-Identifier: Apache-2.0
// The way of an edge's packets, hop by hop: asked for when somebody wants it, since it is of the last minutes only.
import {html, useState} from "/preact.js";
import {get} from "/api.js";
import * as format from "/format.js";

function address(host, port) {
    return host === undefined ? "" : port === undefined ? host : `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function Drops({drops}) {
    return (drops || []).map(drop => html`<li class="hop-loss is-bad">${format.count(drop.packets)} dropped: ${drop.text || drop.reason || drop.place || "no reason told"}
        ${drop.chains || drop.hook ? ` (${drop.chains || drop.hook})` : ""}${drop.text && drop.reason ? `, ${drop.reason}` : ""}</li>`);
}

function Hop({hop}) {
    const rewritten = hop.rewritten;
    return html`<li class="hop">
        ${rewritten && html`<div class="hop-step">${rewritten.kind}: ${rewritten.from} becomes ${rewritten.to}${rewritten.destination_to ? `, ${rewritten.destination_from} becomes ${rewritten.destination_to}` : ""}</div>`}
        <div class="hop-head"><span><b>${hop.interface || `interface ${hop.ifindex}`}</b> <span class="quiet">${hop.direction}${hop.namespace ? ` in ${hop.namespace}` : ""}</span></span>
            <span class="number" title=${`${hop.packets} packets, ${hop.segments} segments`}>${format.count(hop.packets)} <span class="quiet">${format.bytes(hop.bytes)}</span></span></div>
        <div class="mono quiet hop-tuple">${address(hop.source, hop.source_port)} → ${address(hop.destination, hop.destination_port)}${hop.tunnel ? ` inside ${hop.tunnel.kind} ${hop.tunnel.id}` : ""}</div>
        ${hop.from_before_ns !== undefined && html`<div class="quiet hop-time">${format.duration(hop.from_before_ns)} from the hop before</div>`}
        ${hop.branch && html`<div class="quiet">a copy that a bridge sent astray</div>`}
        ${hop.shadowed && html`<div class="quiet">another program redirects before weft's: not all is seen</div>`}
    </li>
    ${hop.lost_after > 0 && html`<li class="hop-loss is-bad">${format.count(hop.lost_after)} did not reach the next hop</li>`}
    <${Drops} drops=${hop.drops} />`;
}

function Way({title, hops, before}) {
    return html`<h4>${title}</h4>${hops && hops.length
        ? html`<ol class="hops"><${Drops} drops=${before} />${hops.map(hop => html`<${Hop} hop=${hop} />`)}</ol>`
        : html`<p class="hint">No watched interface saw a packet.</p>`}`;
}

function Part({part, proxy}) {
    const name = end => end.name || address(end.address, end.port) || "?";
    return html`${proxy && html`<p class="hint">Then the proxy ${proxy.name}, pid ${proxy.pid}, opens a connection of its own.</p>`}
        <${Way} title=${`${name(part.client)} to ${name(part.server)}, ${part.connections === 1 ? "1 connection" : `${part.connections} connections`}`} hops=${part.hops} before=${part.dropped_before} />
        <${Way} title="and back" hops=${part.reverse} before=${part.dropped_before_reverse} />`;
}

export function Path({edge}) {
    const [state, setState] = useState({});
    const ask = async () => {
        setState({asking: true});
        try {
            setState({answer: await get("path", {edge})});
        } catch (error) {
            setState({error: error.message});
        }
    };
    const {answer, error, asking} = state, fine = answer && answer.finding.code === "ok";
    return html`<h3>Path</h3><section class="path" aria-live="polite">
        ${answer && html`<p class=${fine ? "finding" : "finding is-bad"}>${answer.finding.text}</p>
            ${(answer.finding.causes || []).map(cause => html`<p class="hint">${cause.text}</p>`)}
            ${answer.parts.map((part, index) => html`<${Part} part=${part} proxy=${index > 0 && answer.proxies[index - 1]} />`)}`}
        ${error && html`<p class="hint">${error}</p>`}
        <button class="plain-button path-button" onClick=${ask} disabled=${asking}>${answer || error ? "Look again" : "Show the hops"}</button></section>`;
}
