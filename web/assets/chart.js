// SPDX-License-Identifier: Apache-2.0
// A small chart of the last hour: uPlot in a preact component. Colours come from the style sheet.
import {html, Component} from "/preact.js";
import uPlot from "/uplot.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function hour(seconds, precise) {
    return new Date(seconds * 1000).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: precise ? "2-digit" : undefined, hour12: false});
}

// lines: [{label, colour: "--name", values}], times in ns, format for values, range {from, to} in ns that is marked.
export class Chart extends Component {
    componentDidMount() {
        this.make();
        this.observer = new ResizeObserver(() => this.plot.setSize({width: this.base.clientWidth, height: this.props.height || 96}));
        this.observer.observe(this.base);
        dark.addEventListener("change", this.remake);
    }

    componentWillUnmount() {
        this.observer.disconnect();
        dark.removeEventListener("change", this.remake);
        this.plot.destroy();
    }

    componentDidUpdate(before) {
        if (before.lines.length !== this.props.lines.length)
            this.remake();
        else
            this.plot.setData(this.data());
    }

    shouldComponentUpdate() {
        return true;
    }

    remake = () => {
        this.plot.destroy();
        this.make();
    };

    data() {
        return [this.props.times.map(time => time / 1e9), ...this.props.lines.map(line => line.values)];
    }

    make() {
        const {lines, format, sync} = this.props;
        const axis = {stroke: colour("--quiet"), font: "10px system-ui", grid: {stroke: colour("--line"), width: 0.5}, ticks: {show: false}};
        const options = {
            width: this.base.clientWidth || 360,
            height: this.props.height || 96,
            padding: [6, 4, 0, 0],
            cursor: {sync: {key: sync || "detail"}, points: {size: 5}, drag: {x: false, y: false}},
            legend: {show: false},
            scales: {y: {range: (plot, low, high) => [0, high > 0 ? high * 1.08 : 1]}},
            axes: [{...axis, size: 20, space: 70, values: (plot, ticks) => ticks.map(tick => hour(tick, ticks[ticks.length - 1] - ticks[0] < 300))},
                {...axis, size: 58, space: 24, values: (plot, ticks) => ticks.map(format)}],
            series: [{}, ...lines.map(line => ({
                label: line.label, stroke: colour(line.colour), width: 1.4, points: {show: false, size: 4},
                fill: line.fill ? colour(line.colour) + "22" : undefined,
            }))],
            hooks: {
                drawClear: [plot => {
                    const now = this.props.range;
                    if (!now)
                        return;
                    const left = plot.valToPos(now.from / 1e9, "x", true), right = plot.valToPos(now.to / 1e9, "x", true);
                    plot.ctx.save();
                    plot.ctx.fillStyle = colour("--mark");
                    plot.ctx.fillRect(left, plot.bbox.top, Math.max(2, right - left), plot.bbox.height);
                    plot.ctx.restore();
                }],
                setCursor: [plot => this.setState({index: plot.cursor.idx})],
            },
        };
        this.plot = new uPlot(options, this.data(), this.base.querySelector(".plot"));
    }

    render({title, lines, format, times}, {index}) {
        const at = index ?? times.length - 1;
        return html`<div class="chart">
            <div class="chart-head"><span>${title}</span>${lines.map(line => html`<span class="key"><i class=${`swatch ${line.colour.slice(2)}`}></i>${line.label}
                <b>${line.values[at] === null || line.values[at] === undefined ? "–" : format(line.values[at])}</b></span>`)}</div>
            <div class="plot"></div>
        </div>`;
    }
}
