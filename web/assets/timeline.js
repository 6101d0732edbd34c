// SPDX-License-Identifier: Apache-2.0
// The last hour under the map: calls per second as bars, red ones on top. A click goes back to that moment.
import {html} from "/preact.js";
import * as format from "/format.js";

const WIDTH = 1200, HEIGHT = 36, HOUR = 3600e9;

export function Timeline({timeline, at, range, onTime}) {
    const times = timeline ? timeline.time : [];
    const now = times.length ? Math.max(times[times.length - 1], at || 0) : Date.now() * 1e6;
    const from = now - HOUR, x = time => (time - from) / HOUR * WIDTH;
    const top = times.length ? Math.max(...timeline.rate, ...timeline.errors, 1e-9) : 1;
    const click = event => {
        const box = event.currentTarget.getBoundingClientRect();
        onTime((from + (event.clientX - box.left) / box.width * HOUR) / 1e6);
    };
    const key = event => {
        const step = {ArrowLeft: -10000, ArrowRight: 10000, PageUp: 60000, PageDown: -60000}[event.key];
        if (!step)
            return;
        event.preventDefault();
        event.stopPropagation();
        onTime((at || now) / 1e6 + step);
    };
    const bars = times.map((time, index) => {
        const end = index + 1 < times.length ? times[index + 1] : time + 10e9;
        const width = Math.max(1.2, Math.min(x(end) - x(time), WIDTH / 60) - 0.6), red = timeline.errors[index] / top * HEIGHT, all = Math.max(timeline.rate[index] / top * HEIGHT, red);
        return html`<g><rect class="bar" x=${x(time)} y=${HEIGHT - all} width=${width} height=${all} />
            ${red > 0 && html`<rect class="bar bad" x=${x(time)} y=${HEIGHT - Math.max(red, 1.5)} width=${width} height=${Math.max(red, 1.5)} />`}
            ${timeline.lost[index] > 0 && html`<rect class="bar lost" x=${x(time)} y="0" width=${width} height="3" />`}</g>`;
    });
    const marks = [60, 45, 30, 15].map(minutes => html`<span style=${{left: `${(60 - minutes) / 60 * 100}%`}}>−${minutes} min</span>`);
    const shown = at || now;
    return html`<footer class="timeline">
        <div class="strip" role="slider" tabindex="0" aria-label="time" aria-valuetext=${at ? format.clock(at) : "live"} aria-valuenow=${Math.round((shown - from) / 1e9)} aria-valuemin="0" aria-valuemax="3600"
                title="click to go back to that moment" onClick=${click} onKeyDown=${key}>
            <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none"><rect class="window" x=${x(shown - range * 1e9)} width=${range / 3600 * WIDTH} height=${HEIGHT} />${bars}</svg>
            <div class="marks">${marks}</div>
        </div>
    </footer>`;
}
