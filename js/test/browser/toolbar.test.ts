// The toolbar in Chromium: what it says has room, at the widths that cells have.
import { afterEach, describe, expect, it } from "vitest";
import { type Part, State } from "../../src/core/types";
import widget from "../../src/widget";
import { FakeModel, graph, status } from "../fake";
import "../../src/view/style.css";

const BADGE = "1 machine, 2 CPUs";
const specs = Array.from({ length: 13 }, (_, i) => ({ name: `node ${i}`, fn: "f" }));
let end = new AbortController();
afterEach(() => {
  end.abort();
  end = new AbortController();
  document.body.replaceChildren();
});

/** A run of 2:40 min that has ended, with a failed and a skipped node. */
function shown(width: number, where = BADGE, parts?: Part[]) {
  const codes = specs.map(() => State.done as number);
  codes.splice(11, 2, State.failed, State.skipped);
  const head = { run_state: "failed" as const, run: 1, started: 1000, ended: 1160, now: 1160 };
  const model = new FakeModel({
    _graph: graph(specs),
    _status: status(specs.length, { codes, where, ...head }),
    ...(parts && { _parts: parts }),
  });
  const host = document.createElement("div");
  host.style.width = `${width}px`;
  document.body.replaceChildren(host);
  widget().render({ model, el: host, signal: end.signal });
  const find = (selector: string) => host.querySelector(selector) as HTMLElement;
  const [toolbar, search] = [find(".fuse-toolbar"), find(".fuse-search")];
  return { model, toolbar, search, text: find(".fuse-progress"), badge: find(".fuse-where") };
}

/** Whether the placeholder of a field is to be read in full. */
async function hasRoom(field: HTMLInputElement): Promise<boolean> {
  const probe = document.createElement("span");
  probe.style.cssText = "position: absolute; white-space: nowrap; font: 12px system-ui, sans-serif";
  probe.textContent = field.placeholder;
  document.body.append(probe);
  const { paddingLeft, paddingRight } = getComputedStyle(field);
  const room = field.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
  return probe.offsetWidth <= room;
}

const whole = (node: HTMLElement): boolean => node.scrollWidth <= node.clientWidth;

/** How much of a node is to be seen, from 0 to 1. */
async function inSight(node: HTMLElement): Promise<number> {
  const [entry] = await new Promise<IntersectionObserverEntry[]>((resolve) => {
    const watch = new IntersectionObserver((entries) => {
      watch.disconnect();
      resolve(entries);
    });
    watch.observe(node);
  });
  return Math.round(entry.intersectionRatio * 1000) / 1000; // floats
}

// 1,005 px are what JupyterLab leaves a cell in a window of 1,200 px.
describe.each([600, 641, 880, 961, 1000, 1005, 1101, 1200, 1400])("a toolbar of %i px", (width) => {
  it("says counts and time in full, and the badge in full or not at all", async () => {
    const { toolbar, search, text, badge } = shown(width);
    expect(text.textContent).toBe("11 of 13 \u00b7 1 failed \u00b7 1 skipped \u00b7 2:40 min");
    expect(whole(text)).toBe(true);
    expect(whole(badge)).toBe(true);
    expect([0, 1]).toContain(await inSight(badge));
    expect(text.title).toBe(`${text.textContent} \u00b7 ${BADGE}`);
    expect(whole(toolbar)).toBe(true);
    expect(search.getBoundingClientRect().width).toBeGreaterThanOrEqual(120);
    expect(await hasRoom(search.querySelector("input") as HTMLInputElement)).toBe(true);
  });
});

describe("progress that stands alone", () => {
  it.each([400, 600])("has its line in sight, at %i px", async (width) => {
    const { text, badge } = shown(width, BADGE, ["progress"]);
    expect(whole(text)).toBe(true);
    expect(await inSight(text)).toBe(1);
    expect(await inSight(badge)).toBe(width === 600 ? 1 : 0);
  });
});

describe("the badge", () => {
  it("is there where it has room, beside the search or on a line without it", async () => {
    expect(await inSight(shown(600).badge)).toBe(1);
    expect(await inSight(shown(880).badge)).toBe(1);
    expect(await inSight(shown(1200).badge)).toBe(1);
  });

  it("is out of sight as a whole where counts and time need the room", async () => {
    const { badge, text } = shown(1000);
    expect(await inSight(badge)).toBe(0);
    expect(whole(text)).toBe(true);
  });

  it.each([600, 880, 1005, 1200])("leaves a search with the focus its room, at %i px", (width) => {
    const { search, text, toolbar } = shown(width);
    (search.querySelector("input") as HTMLInputElement).focus();
    expect(search.getBoundingClientRect().width).toBeGreaterThanOrEqual(208);
    expect(whole(text)).toBe(true);
    expect(whole(toolbar)).toBe(true);
  });

  it("leaves nothing behind where the backend does not say", () => {
    const { badge, text } = shown(1000, "");
    expect(badge.hidden).toBe(true);
    expect(text.title).toBe(text.textContent);
  });
});
