// The outline in Chromium: what has to be laid out, scrolled and focused.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { page, userEvent } from "vitest/browser";
import type { Part } from "../../src/core/types";
import widget from "../../src/widget";
import { FakeModel, graph, status } from "../fake";
import "../../src/view/style.css";

let end: AbortController;
beforeEach(() => {
  end = new AbortController();
});
afterEach(() => {
  end.abort();
  document.body.replaceChildren();
});

async function shown(n: number, given: { width?: number; parts?: Part[]; name?: string } = {}) {
  const { width = 1100, parts, name = "node" } = given;
  const specs = Array.from({ length: n }, (_, i) => ({ name: `${name} ${i}`, fn: `f${i % 3}` }));
  const model = new FakeModel({
    _graph: graph(specs),
    _status: status(n),
    panels: ["outline"],
    height: 400,
    ...(parts && { _parts: parts }),
  });
  const host = document.createElement("div");
  host.style.width = `${width}px`;
  document.body.replaceChildren(host);
  widget().render({ model, el: host, signal: end.signal });
  const root = host.querySelector("[data-fuse-view]") as HTMLElement;
  const part = (role: string): HTMLElement =>
    root.querySelector(`[data-fuse-role="${role}"]`) as HTMLElement;
  await expect.poll(() => root.querySelectorAll("[data-node]").length).toBeGreaterThan(0);
  return { model, root, part, grid: part("grid") };
}

describe("a list of 5,000 nodes", () => {
  it("draws the rows in sight, wherever it is scrolled to, and a click there selects", async () => {
    const { model, root, grid } = await shown(5000);
    expect(grid.scrollHeight).toBe(5001 * 28);
    grid.scrollTop = 3000 * 28;
    const row = (): HTMLElement | null => root.querySelector("[data-node='3003']");
    await expect.poll(row).not.toBeNull();
    expect(root.querySelectorAll("[data-node]").length).toBeLessThan(40);
    // The list gets the focus with this click: nothing may move away under the pointer.
    await userEvent.click(row() as HTMLElement);
    expect(model.traits.selected).toEqual(["node 3003"]);
    expect(grid.scrollTop).toBe(3000 * 28);
    await userEvent.keyboard("{End}");
    expect(model.traits.selected).toEqual(["node 4999"]);
    expect(grid.scrollTop + grid.clientHeight).toBe(grid.scrollHeight);
    await userEvent.keyboard("{Home}");
    expect(grid.scrollTop).toBe(0);
  });
});

describe("the columns", () => {
  const hidden = (root: HTMLElement): boolean =>
    getComputedStyle(root.querySelector(".fuse-cell-function") as HTMLElement).display === "none";

  it("fit beside a graph, with long names, whose ends stay in sight", async () => {
    const name = "Größenänderung der Überprüfungsdaten im zweiten Durchgang";
    const { root, grid } = await shown(20, { width: 600, name });
    expect(grid.getBoundingClientRect().width).toBeLessThanOrEqual(336);
    expect(grid.scrollWidth).toBe(grid.clientWidth);
    expect(hidden(root)).toBe(true);
    const cell = root.querySelector("[data-node='3'] .fuse-cell-name") as HTMLElement;
    const tail = cell.querySelector(".fuse-tail") as HTMLElement;
    expect(tail.textContent).toMatch(/ 3$/);
    expect(tail.getBoundingClientRect().right).toBeLessThanOrEqual(
      cell.getBoundingClientRect().right + 0.5,
    );
  });
  it("are all there in a table that stands alone, which is as wide as the cell", async () => {
    const { root, grid } = await shown(20, { width: 900, parts: ["outline"] });
    expect(grid.getBoundingClientRect().width).toBeGreaterThan(880);
    expect(hidden(root)).toBe(false);
    expect(root.querySelector("[data-fuse-role='close-outline']")).toBeNull();
  });
});

describe("the help", () => {
  it("has the focus until it is closed, and gives it back", async () => {
    const { root, grid, part } = await shown(3);
    grid.focus();
    await userEvent.keyboard("?");
    const dialog = part("help-card") as HTMLDialogElement;
    expect(dialog.matches(":modal")).toBe(true);
    expect(dialog.contains(document.activeElement)).toBe(true);
    await userEvent.keyboard("o");
    expect(root.querySelector("[data-fuse-role='grid']")).not.toBeNull();
    await userEvent.keyboard("{Escape}");
    await expect.poll(() => part("help-card")).toBeNull();
    expect(document.activeElement).toBe(grid);
    await page.elementLocator(part("help")).click();
    await page.elementLocator(part("close-help")).click();
    await expect.poll(() => part("help-card")).toBeNull();
  });
});
