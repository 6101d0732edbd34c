// SPDX-License-Identifier: Apache-2.0
// The agent's API (docs/api.md).

export async function get(path, parameters = {}) {
    const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== undefined));
    const response = await fetch(`/api/v1/${path}?${query}`);
    if (response.ok)
        return response.json();
    const body = await response.json().catch(() => ({error: response.statusText}));
    throw Object.assign(new Error(body.error), {status: response.status});
}

// Unix milliseconds as the nanoseconds that the API wants: as text, since numbers here have no room for them.
export function nanoseconds(milliseconds) {
    return milliseconds === undefined ? undefined : `${Math.round(milliseconds)}000000`;
}

// Calls onMap with each map and onState with true or false as the agent is there or not. Returns a function that ends it.
export function follow(seconds, onMap, onState) {
    let source, timer, ended = false;
    const open = () => {
        source = new EventSource(`/api/v1/events?seconds=${seconds}`);
        source.addEventListener("map", event => {
            onState(true);
            onMap(JSON.parse(event.data));
        });
        source.onerror = () => {
            onState(false);
            source.close(); // the browser's own retry gives up on some answers; this one does not
            if (!ended)
                timer = setTimeout(open, 2000);
        };
    };
    open();
    return () => {
        ended = true;
        clearTimeout(timer);
        source.close();
    };
}
