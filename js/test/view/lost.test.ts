// @vitest-environment jsdom
// The form while the kernel is gone or another one: nothing in it can be changed, and it says why.
import { describe, expect, it } from "vitest";
import { classifiers } from "../fake";
import { FakeKernel, manager } from "../fakekernel";
import { freshBrowser } from "./browser";
import { inspected, settle } from "./inspected";

const SPECS = classifiers(["moons"]);
const WHY = "Not now: the kernel was restarted; run the cell again to go on";
freshBrowser();

async function restarted() {
  const connection = new FakeKernel();
  const all = inspected(SPECS, {}, manager(connection));
  const view = all.view();
  await all.select(SPECS[3].name);
  await view.tab("backend_info");
  const off = (): boolean => view.field("retries").getAttribute("aria-disabled") === "true";
  expect(off()).toBe(false);
  connection.statusChanged.emit("restarting");
  await settle();
  return { ...all, ...view };
}

describe("the form of a kernel that was restarted", () => {
  it("is disabled, and says why", async () => {
    const { field, role } = await restarted();
    for (const path of ["retries", "label", "tags"]) {
      expect(field(path).readOnly).toBe(true);
      expect(field(path).getAttribute("aria-disabled")).toBe("true");
      expect(field(path).title).toBe(WHY);
    }
    expect(field("executor").disabled).toBe(true);
    expect(field("executor").title).toBe(WHY);
    for (const name of ["undo", "redo", "copy-code"]) {
      expect(role(name).getAttribute("aria-disabled")).toBe("true");
      expect(role(name).title).toBe(WHY);
    }
  });

  it("says so where nothing is known of another node", async () => {
    const { root, model } = await restarted();
    expect(root.querySelector(".fuse-lost")).toBeNull();
    model.traits._details = {};
    model.fire("change:_details");
    await settle();
    expect(root.querySelector(".fuse-lost")?.textContent).toBe(
      "Not known any more: the kernel was restarted; run the cell again to go on.",
    );
    expect(root.querySelector("[data-fuse-field]")).toBeNull();
  });

  it("keeps raw JSON as well", async () => {
    const { role, click } = await restarted();
    await click("raw-json");
    expect(role<HTMLTextAreaElement>("raw-text").readOnly).toBe(true);
    expect(role("raw-text").title).toBe(WHY);
    expect(role("apply").getAttribute("aria-disabled")).toBe("true");
  });
});
