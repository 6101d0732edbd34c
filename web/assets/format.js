// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them: three digits at most, with a unit.

function digits(value) {
    return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2).replace(/\.?0+$/, "");
}

function scaled(value, base, units) {
    let unit = 0;
    while (value >= base * 0.9995 && unit < units.length - 1) {
        value /= base;
        unit++;
    }
    return [digits(value), units[unit]];
}

export function count(value) {
    return value < 10000 ? String(Math.round(value)) : scaled(value, 1000, ["", "k", "M", "G"]).join("");
}

export function rate(value) {
    if (value === undefined)
        return "–";
    if (value > 0 && value < 0.01)
        return "<0.01/s";
    return scaled(value, 1000, ["", "k", "M", "G"]).join("") + "/s";
}

export function bytes(value) {
    const [number, unit] = scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
    return `${number} ${unit}`;
}

export function duration(ns) {
    if (ns === undefined || ns === null)
        return "–";
    if (ns < 1e6)
        return `${digits(ns / 1e3)} µs`;
    return ns < 1e9 ? `${digits(ns / 1e6)} ms` : `${digits(ns / 1e9)} s`;
}

export function share(value) {
    if (value === undefined)
        return "–";
    if (value > 0 && value < 0.001)
        return "<0.1 %";
    return value === 0 ? "0 %" : `${digits(value * 100)} %`;
}

export function clock(ns, withDate = false) {
    const date = new Date(ns / 1e6);
    const time = date.toLocaleTimeString([], {hour12: false});
    return withDate ? `${date.toLocaleDateString()} ${time}` : time;
}

export function seconds(value) {
    return value < 100 ? `${Math.round(value)} s` : `${Math.round(value / 60)} min`;
}

// How bad: "ok", "warn" (some errors), "bad" (one in twenty or more), "idle" (nothing to judge).
export function health(red) {
    if (red === undefined || red.error_share === undefined)
        return "idle";
    return red.error_share >= 0.05 ? "bad" : red.error_share > 0 ? "warn" : "ok";
}

export function errorCount(errors) {
    return errors.server_error + errors.timeout + errors.no_response + errors.connect;
}

// The server's duration where it was seen, else the client's. Without calls it is that of turns, which nobody asked for.
export function measured(red) {
    return red.calls > 0 ? red.duration || red.client_duration : undefined;
}

export function hasCalls(red) {
    return red.calls > 0 || red.waiting > 0 || red.lost > 0;
}
