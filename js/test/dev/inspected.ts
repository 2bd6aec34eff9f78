// Things to look at in the inspector.
import type { NodeDetails, Preview } from "../../src/core/types";
import type { FakeModel, Spec } from "../fake";

const CHART = `<svg xmlns="http://www.w3.org/2000/svg" width="280" height="120"><path d="M0 100 L60 40 L120 70 L200 20 L280 60" fill="none" stroke="#1663b5" stroke-width="3"/><script>document.title = "HACKED"</script></svg>`;
const TABLE = `<table><tr><th></th><th>model</th><th>accuracy</th></tr>${Array.from(
  { length: 12 },
  (_, i) => `<tr><th>${i}</th><td>RBF SVM</td><td>0.9${i}3</td></tr>`,
).join(
  "",
)}</table><script>parent.document.title = "HACKED"</script><a href="https://example.org/">a link</a>`;

export const PREVIEWS: Record<string, Preview> = {
  text: {
    kind: "text",
    content: "array([[0.   , 0.5  , 1.   ],\n       [1.   , 1.5  , 2.   ]])",
    note: "the first 2 of 1000 rows",
  },
  html: { kind: "html", content: TABLE, note: "the first 12 of 1000 rows" },
  svg: { kind: "svg", content: CHART, note: "" },
};

export const PRINTED = Array.from(
  { length: 60 },
  (_, i) =>
    `epoch ${String(i).padStart(2)}  loss ${(2 / (i + 1)).toFixed(4)}  \u001b[32maccuracy\u001b[0m ${(1 - 1 / (i + 2)).toFixed(3)}`,
).join("\n");

const frame = (file: string, line: number, fn: string, code: string, inner: boolean) => ({
  file,
  line,
  function: fn,
  code,
  inner,
});

export function details(i: number, specs: Spec[], model: FakeModel): Partial<NodeDetails> {
  const error = model.traits._status?.errors[i];
  if (!error) return {};
  const frames = [
    frame(
      "/home/someone/projects/classifiers/src/classifiers/models.py",
      58,
      "split",
      'raise ValueError(f"The least populated class in y has only {n} member")',
      false,
    ),
    frame(
      "/home/someone/projects/classifiers/src/classifiers/models.py",
      44,
      specs[i].fn,
      "halves = split(data, model)",
      false,
    ),
    ...[1, 2, 3, 4, 5].map((n) =>
      frame(
        `/opt/env/lib/python3.12/site-packages/fuse_widgets/backends/_w${n}.py`,
        30 + n,
        "call",
        "return function(*args)",
        true,
      ),
    ),
  ];
  return {
    failure: {
      type: error.type,
      message: error.message,
      frames,
      text: `Traceback (most recent call last):\n${frames.map((f) => `  File "${f.file}", line ${f.line}, in ${f.function}\n    ${f.code}`).join("\n")}\n${error.type}: ${error.message}`,
      root: null,
    },
    attempts: [
      {
        attempt: 1,
        state: "failed",
        worker: "thread 1",
        started: 1_790_000_000,
        seconds: 0.61,
        error: "ValueError: once",
      },
      {
        attempt: 2,
        state: "failed",
        worker: "thread 2",
        started: 1_790_000_001,
        seconds: 1.2,
        error: "ValueError: twice",
      },
    ],
    result: null,
    why_no_result: "This node failed, so there is no result.",
    not_tracked: [],
  };
}
