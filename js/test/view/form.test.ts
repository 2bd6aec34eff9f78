// @vitest-environment jsdom
import { describe, expect, it, vi } from "vitest";
import { classifiers } from "../fake";
import { freshBrowser } from "./browser";
import { inspected, settle } from "./inspected";

const SVM = ["moons, Linear SVM-model", "moons, RBF SVM-model"];
const page = freshBrowser();

async function open(
  selected = SVM,
  prepare: (kernel: ReturnType<typeof inspected>) => void = () => {},
) {
  const all = inspected();
  prepare(all);
  const view = all.view();
  await all.select(...selected);
  await view.tab("backend_info");
  return { ...all, ...view };
}

describe("the form", () => {
  it("has a control with a label for each field of the schema, nested ones too", async () => {
    const { all, field, one } = await open();
    const paths = all("[data-fuse-field]").map((node) => node.dataset.fuseField);
    expect(paths).toEqual([
      "cache",
      "plugin",
      "executor",
      "retries",
      "timeout",
      "label",
      "tags",
      "remote_args.num_cpus",
      "remote_args.scheduling",
      "remote_args.retry_exceptions",
      "remote_args.resources",
    ]);
    for (const path of paths) {
      const control = field(path as string);
      expect(one(`label[for="${control.id}"]`).textContent).toBe(
        (path as string).split(".").at(-1),
      );
    }
    expect(field("plugin").tagName).toBe("OUTPUT");
    expect([field("retries").placeholder, field("retries").inputMode]).toEqual([
      "0 (default), 0 to 1000",
      "numeric",
    ]);
    const options = [...field("executor").querySelectorAll("option")].map((o) => o.textContent);
    expect(options).toEqual(["not set", "inline", "thread", "process"]);
    expect([...field("cache").querySelectorAll("option")].map((o) => o.textContent)).toEqual([
      "on (default)",
      "on",
      "off",
    ]);
  });

  it("shows what nodes have in common and where they differ, and edits all of them in one message", async () => {
    const { kernel, field, choose, edits } = await open(SVM, ({ kernel }) => {
      kernel.infos[3] = { retries: 2, executor: "thread" };
      kernel.infos[4] = { retries: 2, executor: "process" };
    });
    expect([field("retries").value, field("executor").value]).toEqual(["2", "mixed"]);
    expect(field("executor").querySelector("option")?.textContent).toBe("(mixed) thread, process");
    await choose("executor", '"inline"');
    expect(edits()).toEqual([
      {
        nodes: [3, 4],
        version: 1,
        at: [],
        set: { executor: "inline" },
        unset: [],
        was: { executor: { mixed: ["thread", "process"] } },
      },
    ]);
    expect(field("executor").value).toBe('"inline"');
    await choose("executor", "");
    expect([kernel.infos[3], field("executor").value]).toEqual([{ retries: 2 }, ""]);
  });

  it("unsets on all nodes what is not the same in them", async () => {
    const { kernel, field, click, edits } = await open(SVM, ({ kernel }) => {
      kernel.infos[3] = { retries: 2 };
    });
    expect(field("retries").placeholder).toBe("(mixed) 2, not set");
    await click("unset");
    expect(edits()[0]).toMatchObject({
      unset: ["retries"],
      was: { retries: { mixed: [2, null] } },
    });
    expect([kernel.infos[3], field("retries").placeholder]).toEqual([{}, "0 (default), 0 to 1000"]);
  });

  it("shows the kernel's words at the field and keeps the text until it is corrected or given up", async () => {
    const { field, type, press, wrong, kernel } = await open();
    const timeout = field("timeout");
    await type(timeout, "-5");
    await press(timeout, "Enter");
    expect(wrong("timeout")).toBe("has to be more than 0");
    expect([timeout.value, timeout.getAttribute("aria-invalid")]).toEqual(["-5", "true"]);
    const told = timeout.getAttribute("aria-describedby")?.split(" ")[0] as string;
    expect(document.getElementById(told)?.textContent).toBe(wrong("timeout"));
    await type(timeout, "5");
    await press(timeout, "Enter");
    expect([wrong("timeout"), kernel.infos[3]]).toEqual(["", { timeout: 5 }]);
    await type(timeout, "soon");
    timeout.blur();
    await settle();
    expect(wrong("timeout")).toBe("this is not a number");
    await press(timeout, "Escape");
    expect([timeout.value, wrong("timeout"), document.activeElement === document.body]).toEqual([
      "5",
      "",
      true,
    ]);
  });

  it("sets one field of an object where nodes differ in it, and leaves each the rest of its own", async () => {
    const { kernel, field, type, press, choose } = await open(SVM, ({ kernel }) => {
      kernel.infos[3] = { remote_args: { num_cpus: 1, resources: { a: 1 } } };
      kernel.infos[4] = { remote_args: { scheduling: "SPREAD", num_cpus: 4 } };
    });
    const cpus = field("remote_args.num_cpus");
    expect([cpus.value, cpus.placeholder]).toEqual(["", "(mixed) 1, 4"]);
    await type(cpus, "2");
    await press(cpus, "Enter");
    await choose("remote_args.retry_exceptions", "true");
    expect([kernel.infos[3], kernel.infos[4]]).toEqual([
      { remote_args: { num_cpus: 2, resources: { a: 1 }, retry_exceptions: true } },
      { remote_args: { scheduling: "SPREAD", num_cpus: 2, retry_exceptions: true } },
    ]);
    expect(cpus.value).toBe("2");
  });

  it("shows what is no JSON where it stands, and edits what stands beside it", async () => {
    const strategy = { $repr: "<NodeAffinitySchedulingStrategy>" };
    const errors = [{ $repr: "<class ValueError>" }];
    const { kernel, field, type, press, select } = await open(SVM, ({ kernel }) => {
      kernel.infos[3] = { remote_args: { scheduling: strategy, retry_exceptions: errors } };
      kernel.infos[4] = { remote_args: { scheduling: "SPREAD" } };
    });
    const told = (path: string): string => field(`remote_args.${path}`).textContent as string;
    expect(field("remote_args.scheduling").tagName).toBe("OUTPUT");
    expect(told("scheduling")).toBe("(mixed) <NodeAffinitySchedulingStrategy>, SPREAD");
    await type(field("remote_args.num_cpus"), "2");
    await press(field("remote_args.num_cpus"), "Enter");
    expect([kernel.infos[3], kernel.infos[4]]).toEqual([
      { remote_args: { scheduling: strategy, retry_exceptions: errors, num_cpus: 2 } },
      { remote_args: { scheduling: "SPREAD", num_cpus: 2 } },
    ]);
    await select(SVM[0]);
    expect([told("scheduling"), told("retry_exceptions")]).toEqual([
      "<NodeAffinitySchedulingStrategy>",
      "[<class ValueError>]",
    ]);
    await select(SVM[1]);
    expect(field("remote_args.scheduling").tagName).toBe("SELECT");
    expect(field("remote_args.retry_exceptions").tagName).toBe("SELECT");
  });

  it("puts errors of nested fields under these", async () => {
    const { field, type, press, wrong, kernel } = await open();
    await type(field("remote_args.num_cpus"), "-1");
    await press(field("remote_args.num_cpus"), "Enter");
    expect(wrong("remote_args.num_cpus")).toBe("has to be 0 or more");
    expect(kernel.infos[3]).toEqual({});
  });

  it("shows a change made in Python, but not into what a person is typing; the focus stays", async () => {
    const { kernel, field, type, press, wrong } = await open();
    await type(field("retries"), "1");
    kernel.infos[3] = kernel.infos[4] = { retries: 7, timeout: 30 };
    kernel.tell();
    await settle();
    expect([field("retries").value, field("timeout").value]).toEqual(["1", "30"]);
    expect(document.activeElement).toBe(field("retries"));
    await press(field("retries"), "Enter");
    expect(wrong("retries")).toContain("changed meanwhile");
    await press(field("retries"), "Enter");
    expect([kernel.infos[3].retries, field("retries").value]).toEqual([1, "1"]);
    expect(document.activeElement).toBe(field("retries"));
  });

  it("keeps and shows unknown keys, and what is no JSON as text", async () => {
    const { root, field, type, press, kernel } = await open(SVM, ({ kernel }) => {
      for (const i of [3, 4])
        kernel.infos[i] = { "<b>team</b>": "vision", plugin: { $repr: "<img src=x>" } };
    });
    expect(field("<b>team</b>").value).toBe('"vision"');
    expect(field("plugin").textContent).toBe("<img src=x>");
    expect(root.querySelector(".fuse-editing img, .fuse-editing b")).toBeNull();
    expect(root.textContent).toContain("Kept; the backend does not understand them.");
    await type(field("<b>team</b>"), "[1]");
    await press(field("<b>team</b>"), "Enter");
    expect(kernel.infos[4]["<b>team</b>"]).toEqual([1]);
  });

  it("says which nodes are edited where the selection is what the search has found", async () => {
    const { one, model, select } = await open();
    expect(one(".fuse-form-about").textContent).toBe("Editing 2 nodes");
    const { evaluated } = await import("../fake");
    const names = classifiers(["moons"]).map((spec) => spec.name);
    model.set("query", ".*SVM.*");
    model.set("_matches", evaluated(names, ".*SVM.*"));
    await settle();
    expect(one(".fuse-form-about").textContent).toBe("Editing 2 nodes that match .*SVM.*");
    await select("scores");
    expect(one(".fuse-form-about").textContent).toBe("backend_info of this node");
  });

  it("edits nothing while the settings are those of another selection", async () => {
    const { kernel, select, field, one } = await open(SVM, ({ kernel }) => {
      kernel.infos[3] = kernel.infos[4] = { retries: 2 };
    });
    kernel.late = true;
    await select("scores");
    expect(one(".fuse-editing").getAttribute("aria-busy")).toBe("true");
    const { value, placeholder, readOnly } = field("retries");
    expect({ value, placeholder, readOnly }).toEqual({
      value: "",
      placeholder: "\u2026",
      readOnly: true,
    });
    expect((field("executor") as unknown as HTMLSelectElement).disabled).toBe(true);
    kernel.tell();
    await settle();
    expect([field("retries").placeholder, field("retries").readOnly]).toEqual([
      "0 (default), 0 to 1000",
      false,
    ]);
  });

  it("undoes with button and keys, but leaves text fields their own", async () => {
    const { kernel, field, type, press, role, click, one, model } = await open();
    await type(field("retries"), "3");
    await press(field("retries"), "Enter");
    await press(field("retries"), "z", { ctrlKey: true });
    expect(kernel.infos[3]).toEqual({ retries: 3 });
    expect(role<HTMLButtonElement>("undo").title).toContain("set retries of 4 nodes");
    await press(one(".fuse-editing"), "z", { ctrlKey: true });
    expect(kernel.infos[3]).toEqual({});
    await press(field("executor"), "Z", { ctrlKey: true, shiftKey: true });
    expect(kernel.infos[3]).toEqual({ retries: 3 });
    await click("undo");
    expect([kernel.infos[3], role("undo").getAttribute("aria-disabled")]).toEqual([{}, "true"]);
    expect(model.sent.map(({ name }) => name)).toEqual(["edit", "undo", "redo", "undo"]);
  });

  it("shows the edits as code, which follows further edits, and copies it", async () => {
    const written: string[] = [];
    vi.stubGlobal("navigator", {
      clipboard: { writeText: async (text: string) => written.push(text) },
    });
    const { field, type, press, role, click } = await open();
    await type(field("retries"), "3");
    await press(field("retries"), "Enter");
    await click("copy-code");
    expect(role("code").textContent).toContain('.set_backend_info("retries", 3)');
    expect(written).toEqual([role("code").textContent]);
    await type(field("retries"), "4");
    await press(field("retries"), "Enter");
    expect(role("code").textContent).toContain('.set_backend_info("retries", 4)');
  });

  it("can be edited as raw JSON, with errors by place, and goes back", async () => {
    const { role, click, type, kernel, one, all } = await open(SVM, ({ kernel }) => {
      kernel.infos[3] = { retries: 2, cache: false };
      kernel.infos[4] = { retries: 2 };
    });
    await click("raw-json");
    const text = role<HTMLInputElement>("raw-text");
    expect(JSON.parse(text.value)).toEqual({ retries: 2 });
    expect(one(".fuse-raw").textContent).toContain("cache");
    await type(text, '{"retries": 3, "team": "vision"}');
    await click("apply");
    expect(kernel.infos[3]).toEqual({ retries: 3, cache: false, team: "vision" });
    await type(text, '{\n"retries": \n}');
    await click("apply");
    expect(one(".fuse-raw .fuse-wrong-text").textContent).toMatch(/line 3/);
    await click("revert");
    expect(JSON.parse(text.value)).toEqual({ retries: 3, team: "vision" });
    await click("raw-json");
    expect(all("[data-fuse-field]").length).toBeGreaterThan(5);
  });

  it("marks the changed nodes in the graph", async () => {
    const { field, type, press } = await open();
    page.resize(800, 400);
    page.frame();
    const { drawn } = await import("./browser");
    const before = drawn.calls.arc ?? 0;
    await type(field("retries"), "3");
    page.frame();
    const plain = (drawn.calls.arc ?? 0) - before;
    await press(field("retries"), "Enter");
    page.frame();
    expect((drawn.calls.arc ?? 0) - before - plain).toBeGreaterThan(plain);
  });

  it("stands alone, without an inspector or a graph", async () => {
    const { view, select, kernel } = inspected(undefined, { _parts: ["form"] });
    const { root, field, type, press, one } = view();
    expect(root.textContent).toContain("Select nodes");
    await select("scores");
    expect(one(".fuse-form-about").textContent).toBe("Editing scores");
    await type(field("retries"), "1");
    await press(field("retries"), "Enter");
    expect(kernel.infos.filter((info) => info.retries === 1).length).toBe(1);
  });
});
