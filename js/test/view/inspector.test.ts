// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type DisplayPiece, State } from "../../src/core/types";
import { POLICY, page as pageOf } from "../../src/view/panels/page";
import { size } from "../../src/view/panels/result";
import { bytes, type Changed, classifiers, delta, layered, status } from "../fake";
import { freshBrowser } from "./browser";
import { inspected, settle } from "./inspected";

const SPECS = classifiers(["moons"]);
const RBF = "moons, RBF SVM-model";
const HOSTILE = '<img src=x onerror="document.title=1">\u001b[31mred\u001b[0m';
const page = freshBrowser();
beforeEach(() => {
  vi.setSystemTime(1_000_000);
});

async function open(
  selected = [RBF],
  prepare: (all: ReturnType<typeof inspected>) => void = () => {},
) {
  const all = inspected(SPECS);
  prepare(all);
  const view = all.view();
  await all.select(...selected);
  return { ...all, ...view };
}

const done = (i: number, more = {}) => ({
  i,
  state: State.done,
  seconds: 1.02,
  worker: 1,
  ...more,
});
const WORKERS = { workers: ["thread 2"] };

describe("the head", () => {
  it("tells no attempt of a node that is queued for its first", async () => {
    const { model, select, one } = await open();
    const state = async (seq: number, more: Partial<Changed>): Promise<string> => {
      model.delta(delta(seq, [{ i: 11, state: State.queued, ...more }]));
      await select("moons, QDA-model");
      return one(".fuse-head-state").textContent ?? "";
    };
    expect(await state(1, { attempt: 1 })).toBe("queued");
    expect(await state(2, { attempt: 2 })).toBe("queued \u00b7 attempt 2");
    expect(await state(3, { attempt: 1, state: State.running })).toContain("attempt 1");
  });

  it("tells state, time, worker and attempt from the columns, while the kernel has not answered", async () => {
    const { kernel, model, select, one, root } = await open();
    kernel.late = true;
    model.delta(
      delta(1, [done(11)], { ...WORKERS, notes: { 11: "ran because: C changed" } as never }),
    );
    await select("moons, QDA-model");
    expect(one(".fuse-head-name").textContent).toBe("moons, QDA-model");
    expect(one(".fuse-head-state").textContent).toBe(
      "done in 1.02 s \u00b7 thread 2 \u00b7 attempt 1",
    );
    expect(one(".fuse-head-why").textContent).toBe("ran because: C changed");
    expect(one("[role=tabpanel]").getAttribute("aria-busy")).toBe("true");
    expect(root.querySelector(".fuse-kv")?.textContent).toContain("made at\u2026");
    expect(root.textContent).not.toContain("In[3]");
    kernel.tell();
    await settle();
    expect(one("[role=tabpanel]").getAttribute("aria-busy")).toBe("false");
    expect(one(".fuse-kv").textContent).toContain("made atIn[3], line 12");
  });

  it("goes on with the time of a running node, and stops with the view", async () => {
    const { model, one, close } = await open();
    model.delta(delta(1, [{ i: 4, state: State.running, begin: 0 }], { now: 1000, started: 998 }));
    await settle();
    expect(one(".fuse-head-state").textContent).toContain("running, 2.0 s");
    await vi.advanceTimersByTimeAsync(1000);
    expect(one(".fuse-head-state").textContent).toContain("running, 3.0 s");
    close();
    expect(page.open().timers).toBe(0);
  });
});

describe("the overview", () => {
  it("has inputs and outputs as links that select, and move nothing that is in sight", async () => {
    const { all, model, root } = await open();
    page.resize(800, 400);
    const links = all('[data-fuse-role="node"]');
    expect(links.map((link) => link.querySelector(".fuse-link-name")?.textContent)).toEqual([
      "moons, split",
      "scores",
    ]);
    expect(links[0].querySelector(".fuse-link-note")?.textContent).toBe("data");
    const before = root.fuse.nodeCentre("scores");
    links[1].click();
    await settle();
    expect(model.traits.selected).toEqual(["scores"]);
    // It was in sight, so nothing has moved.
    expect(root.fuse.nodeCentre("scores")).toEqual(before);
  });

  it("lists what is not tracked as text, and has no heading where all is", async () => {
    const { root, kernel, select, one } = await open();
    expect(root.querySelector(".fuse-notes")).toBeNull();
    kernel.made.set(4, { not_tracked: ["eval() in score", HOSTILE] });
    await select("moons, QDA-model");
    await select(RBF);
    expect([...one(".fuse-notes").children].map((item) => item.textContent)).toEqual([
      "eval() in score",
      '<img src=x onerror="document.title=1">red',
    ]);
    const headings = [...root.querySelectorAll(".fuse-topic > h4")].map((h) => h.textContent);
    expect(headings[0]).toBe("Not tracked");
  });

  it("shows functions, arguments and docstrings as text, whatever is in them", async () => {
    const { root, one } = await open([RBF], ({ kernel }) => {
      kernel.made.set(4, {
        signature: `(${HOSTILE})`,
        docstring: HOSTILE,
        module: HOSTILE,
        file: HOSTILE,
        arguments: [{ name: HOSTILE, text: HOSTILE, nodes: [] }],
      });
    });
    expect(root.querySelector(".fuse-inspector img")).toBeNull();
    expect(one(".fuse-doc").textContent).toBe('<img src=x onerror="document.title=1">red');
    expect(root.textContent).not.toContain("\u001b");
  });

  it("shows an error at once, its frames innermost first with those of others folded, and copies the traceback", async () => {
    const written: string[] = [];
    vi.stubGlobal("navigator", {
      clipboard: { writeText: async (text: string) => written.push(text) },
    });
    const frame = (n: number, inner: boolean) => ({
      file: `/lib/fuse_widgets/f${n}.py`,
      line: n,
      function: `f${n}`,
      code: `call_${n}()`,
      inner,
    });
    const { kernel, model, one, all, select, click } = await open();
    kernel.made.set(5, {
      failure: {
        type: "ValueError",
        message: "too few",
        frames: [frame(1, false), frame(2, true), frame(3, true), frame(4, false)],
        text: "Traceback ...\nValueError: too few",
        root: null,
      },
    });
    kernel.late = true;
    const errors = { 5: { type: "ValueError", message: "too few", root: SPECS[5].name } };
    model.delta(
      delta(1, [{ i: 5, state: State.failed, seconds: 0.61 }], { errors: errors as never }),
    );
    await select(SPECS[5].name);
    expect(one(".fuse-error").textContent).toBe("ValueError: too few");
    expect(one(".fuse-head-state").textContent).toContain("failed after 0.61 s");
    kernel.tell();
    await settle();
    expect(
      all(".fuse-frames > li").map((li) => li.querySelector("summary")?.textContent ?? ""),
    ).toEqual(["", "2 frames of fuse_widgets", ""]);
    expect(one(".fuse-frames").textContent).toMatch(/f1.*f2.*f3.*f4/s);
    await click("copy");
    expect(written).toEqual(["Traceback ...\nValueError: too few"]);
  });

  it("leads from a skipped node to the one that failed first", async () => {
    const { model, one, select } = await open();
    const errors = { 12: { type: "ValueError", message: "too few", root: RBF } };
    model.delta(delta(1, [{ i: 12, state: State.skipped }], { errors: errors as never }));
    await select("scores");
    expect(one(".fuse-error-root").textContent).toContain("Skipped, because this failed first:");
    one(".fuse-error-root button").click();
    expect(model.traits.selected).toEqual([RBF]);
  });

  it("has a table of attempts where there is more than one, and selects all nodes of a function", async () => {
    const attempt = { worker: "thread 1", started: 1e9, seconds: 0.5, error: "" };
    const { all, model, click } = await open([RBF], ({ kernel }) => {
      kernel.made.set(4, {
        attempts: [
          { ...attempt, attempt: 1, state: "failed" },
          { ...attempt, attempt: 2, state: "done" },
        ],
      });
    });
    expect(all(".fuse-attempts tbody tr").length).toBe(2);
    await click("same-function");
    expect(model.traits.selected?.length).toBe(10);
  });
});

describe("several nodes, and none", () => {
  it("are counted by state and function, and listed up to a hundred", async () => {
    const specs = layered(1000);
    const { view, select } = inspected(specs);
    const { one, all } = view();
    await select(...specs.map((spec) => spec.name));
    expect(one(".fuse-head-name").textContent).toBe("1,000 nodes");
    expect(one(".fuse-head-counts").textContent).toBe("1,000 pending");
    expect(all('[data-fuse-role="function"]').length).toBe(5);
    expect(all('[data-fuse-role="node"]').length).toBe(100);
    expect(one("[role=tabpanel]").textContent).toContain("and 900 more");
    expect(all("[role=tab]").map((tab) => tab.textContent)).toEqual(["Overview", "backend_info"]);
  });

  it("without a selection there are a hint and the facts of the graph", async () => {
    const { root, one, model } = await open([]);
    expect(root.textContent).toContain("Nothing is selected");
    expect(one(".fuse-topic h4").textContent).toBe("15 nodes, 23 edges, 6 functions");
    one('[data-fuse-role="function"]').click();
    expect(model.traits.selected?.length).toBe(10);
  });
});

describe("what was printed", () => {
  it("is shown live, follows its end unless scrolled up, and says what was cut", async () => {
    const { model, tab, role, one } = await open();
    await tab("Output");
    const told = (text: string, cut = 0) =>
      model.set("_printed", { version: 1, index: 4, run: 1, pieces: [text], cut, dropped: 0 });
    const area = role("printed");
    Object.defineProperty(area, "scrollHeight", { configurable: true, get: () => 1000 });
    Object.defineProperty(area, "clientHeight", { configurable: true, get: () => 200 });
    told(`one\n${HOSTILE}\n`, 12_345);
    await settle();
    expect(area.textContent).toBe('one\n<img src=x onerror="document.title=1">red\n');
    expect(area.scrollTop).toBe(1000);
    expect(one(".fuse-code-bar").textContent).toContain(
      "the last 2 lines; 12,345 characters before are left out",
    );
    area.scrollTop = 100;
    area.dispatchEvent(new Event("scroll"));
    told("one\ntwo\nthree\n");
    await settle();
    expect(area.scrollTop).toBe(100);
    expect(area.textContent).toContain("three");
  });

  it("is read from its beginning where a node that has ended has displayed something", async () => {
    const { model, tab, role } = await open();
    await tab("Output");
    const area = role("printed");
    Object.defineProperty(area, "scrollHeight", { configurable: true, get: () => 1000 });
    Object.defineProperty(area, "clientHeight", { configurable: true, get: () => 200 });
    const told = (run: number, pieces: (string | DisplayPiece)[]) =>
      model.set("_printed", { version: 1, index: 4, run, pieces, cut: 0, dropped: 0 });
    const figure = { number: 1, edition: 0 };
    told(1, ["one\n", figure, "two\n"]);
    await settle();
    expect(area.scrollTop).toBe(0);
    model.delta(delta(1, [{ i: 4, state: State.running }]));
    told(2, ["one\n"]);
    await settle();
    expect(area.scrollTop).toBe(1000);
    area.getBoundingClientRect = () => ({ top: 50 }) as DOMRect;
    const of = vi.spyOn(HTMLElement.prototype, "getBoundingClientRect");
    of.mockImplementation(() => ({ top: 50 + 400 - area.scrollTop }) as DOMRect); // of the figure
    told(2, ["one\n", figure]);
    await settle();
    expect(area.scrollTop).toBe(400);
    area.dispatchEvent(new Event("scroll")); // which is not the person
    told(2, ["one\n", figure, "two\n"]);
    await settle();
    expect(area.scrollTop).toBe(1000);
    of.mockRestore();
  });

  it("is not that of another node", async () => {
    const { model, tab, role, select } = await open();
    await tab("Output");
    model.set("_printed", { version: 1, index: 4, run: 1, pieces: ["mine"], cut: 0, dropped: 0 });
    await settle();
    expect(role("printed").textContent).toBe("mine");
    await select("scores");
    expect(role("printed").textContent).toBe("\u2026");
  });
});

describe("what was displayed", () => {
  const DOT = "iVBORw0KGgo=";
  const told = (pieces: (string | DisplayPiece)[], dropped = 0, run = 1) => ({
    version: 1,
    index: 4,
    run,
    pieces,
    cut: 0,
    dropped,
  });

  it("stands among what was printed, and is asked for again only when it was updated", async () => {
    const { model, tab, role, one, kernel } = await open();
    kernel.displays = {
      1: { kind: "png", content: DOT, note: "" },
      2: {
        kind: "html",
        content: "<b>two</b><script>1</script>",
        note: "Its scripts run in the cell only.",
      },
    };
    await tab("Output");
    const [first, second] = [
      { number: 1, edition: 0 },
      { number: 2, edition: 0 },
    ];
    model.set("_printed", told(["before\n", first, "between\n", second], 3));
    await settle();
    const asked = () => model.sent.map(({ name, args }) => [name, args.run, args.number]);
    expect(asked()).toEqual([
      ["display", 1, 1],
      ["display", 1, 2],
    ]);
    const area = role("printed");
    expect([...area.children].map((child) => child.tagName)).toEqual(["PRE", "DIV", "PRE", "DIV"]);
    expect(area.querySelector("img")?.src).toBe(`data:image/png;base64,${DOT}`);
    expect(area.querySelector("iframe")?.getAttribute("sandbox")).toBe("");
    expect(area.querySelector("iframe")?.srcdoc).not.toContain("<script");
    expect(area.textContent).toContain("Its scripts run in the cell only.");
    expect(one(".fuse-code-bar").textContent).toContain(
      "the last 2 lines, 2 displays; 3 displays before are left out",
    );
    kernel.displays[1] = { kind: "text", content: "updated", note: "" };
    model.set("_printed", told(["before\n", { number: 1, edition: 1 }, "between\n", second], 3));
    await settle();
    expect(asked().slice(2)).toEqual([["display", 1, 1]]);
    expect(area.textContent).toContain("updated");
    model.set("_printed", told([first], 0, 2));
    await settle();
    expect(asked().slice(3)).toEqual([["display", 2, 1]]);
  });

  it("says why where it is not kept", async () => {
    const { model, tab, role } = await open();
    await tab("Output");
    model.set("_printed", told([{ number: 7, edition: 0 }]));
    await settle();
    expect(role("displayed").textContent).toBe("This display is no longer kept.");
  });
});

describe("a result", () => {
  const shown = async (kind: "text" | "html" | "svg" | "png", content: string) => {
    const all = await open([RBF], ({ kernel }) => {
      kernel.preview = { kind, content, note: "the first 12 of 1000 rows" };
    });
    await all.tab("Result");
    expect(all.model.sent).toEqual([]);
    await all.click("show-result");
    expect(all.model.sent.map(({ name, args }) => [name, args])).toEqual([
      ["preview", { node: 4, version: 1 }],
    ]);
    return all;
  };

  it("as text is text", async () => {
    const { one } = await shown("text", HOSTILE);
    expect(one(".fuse-preview pre").textContent).toBe('<img src=x onerror="document.title=1">red');
    expect(one(".fuse-preview").textContent).toContain("the first 12 of 1000 rows");
  });

  it("as HTML is in a frame that may do nothing, under a policy that lets nothing in", async () => {
    const { one } = await shown(
      "html",
      "<table><tr><td>1</td></tr></table><script>alert(1)</script>",
    );
    const frame = one<HTMLIFrameElement>("iframe");
    expect(frame.getAttribute("sandbox")).toBe("");
    expect(frame.srcdoc).toContain(
      `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    );
    expect(frame.srcdoc.indexOf(POLICY)).toBeLessThan(frame.srcdoc.indexOf("<table>"));
    expect(POLICY).toContain("default-src 'none'");
    expect(frame.srcdoc).not.toContain("<script");
  });

  it("as a picture is an image, SVG too", async () => {
    const { one, root } = await shown(
      "svg",
      '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
    );
    expect(one<HTMLImageElement>(".fuse-picture img").src).toMatch(/^data:image\/svg\+xml/);
    expect(root.querySelector(".fuse-picture svg")).toBeNull();
  });

  it("is forgotten with the node and with the run, and an answer that comes too late is passed over", async () => {
    const { one, root, model, kernel, select, click, tab } = await shown("text", "0.97");
    model.delta(delta(1, [done(4)], { run: 2, ...WORKERS }));
    await settle();
    expect(root.querySelector(".fuse-preview")).toBeNull();
    model.onSend = () => {};
    await click("show-result");
    expect(one(".fuse-ask").textContent).toContain("computing\u2026");
    const late = model.sent.at(-1);
    await select("scores");
    if (late) kernel.answer(late);
    await settle();
    expect(root.querySelector(".fuse-preview")).toBeNull();
    await tab("Overview");
  });

  it("that cannot be shown says why, in words", async () => {
    const { kernel, tab, click, one, select } = await open();
    await tab("Result");
    kernel.preview = new Error("the formatter of Frame took more than 2 s");
    await click("show-result");
    expect(one(".fuse-ask").textContent).toContain("the formatter of Frame took more than 2 s");
    kernel.made.set(12, { result: null, why_no_result: "It has not run." });
    await select("scores");
    expect(one("[role=tabpanel]").textContent).toBe("It has not run.");
  });

  it("as a page takes links and what they lead to away, and no colour that is none", () => {
    const made = pageOf(
      '<a href="https://x.test" ping="y">l</a><meta http-equiv=refresh content="0;//x.test">',
      {
        text: "rgb(1, 2, 3)",
        back: "red;} </style><script>",
        dark: true,
      },
    );
    expect(made).not.toContain("x.test");
    expect(made).toContain("background: #111; color: rgb(1, 2, 3)");
    expect(made).not.toContain("<script>");
  });

  it("has its size in words", () => {
    expect([0, 1, 999, 1000, 24_000, 999_900, 3_200_000_000].map(size)).toEqual([
      "0 bytes",
      "1 byte",
      "999 bytes",
      "1.0 kB",
      "24 kB",
      "1.0 MB",
      "3.2 GB",
    ]);
  });
});

describe("the source", () => {
  it("has the numbers of its lines in the file", async () => {
    const { tab, role, one } = await open([RBF], ({ kernel }) => {
      kernel.made.set(4, { source: "def f():\n\treturn 1\n", line: 41 });
    });
    await tab("Source");
    expect(role("source").textContent).toBe("def f():\n\treturn 1");
    expect(one(".fuse-numbers").textContent).toBe("41\n42");
  });
});

describe("tabs and panel", () => {
  it("go with arrow keys and are the same for the next node and the next view", async () => {
    const { all, press, select, view, one } = await open();
    const tabs = all("[role=tab]");
    tabs[0].focus();
    await press(tabs[0], "ArrowRight");
    expect(one("[role=tab][aria-selected=true]").textContent).toBe("backend_info");
    expect(document.activeElement?.textContent).toBe("backend_info");
    await press(tabs[1], "End");
    await select("scores");
    expect(one("[role=tab][aria-selected=true]").textContent).toBe("Source");
    expect(view().one("[role=tab][aria-selected=true]").textContent).toBe("Source");
  });

  it("has a width that keys change, and closes", async () => {
    const { one, role, press, click, model, root } = await open();
    const edge = role("inspector-width");
    await press(edge, "ArrowLeft");
    expect(edge.getAttribute("aria-valuenow")).toBe("376");
    expect(one(".fuse-inspector").style.getPropertyValue("--fuse-inspector-width")).toBe("376px");
    for (let n = 0; n < 40; n++) await press(edge, "ArrowRight");
    expect(edge.getAttribute("aria-valuenow")).toBe("240");
    await click("close-inspector");
    expect(model.traits.panels).toEqual([]);
    expect(root.querySelector(".fuse-inspector")?.childElementCount).toBe(0);
  });

  it("does not break where the selected node has gone from the graph", async () => {
    const { model, root, kernel } = await open();
    kernel.late = true;
    model.traits._status = status(1);
    const { graph } = await import("../fake");
    model.set("_graph", graph([{ name: "only", fn: "f" }], { version: 2 }));
    await settle();
    expect(root.textContent).toContain("Nothing is selected");
    model.set("_edits", {
      version: 1,
      undo: "",
      redo: "",
      counts_from: "",
      answer: null,
      changed: bytes(Uint32Array.of(9)),
    });
    model.set("selected", ["only"]);
    await settle();
    page.frame();
    expect(root.querySelector(".fuse-head-name")?.textContent).toBe("only");
  });
});
