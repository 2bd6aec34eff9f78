// The inspector: all there is to know of the selected node or nodes. What the columns tell is there at once.
import { useLayoutEffect, useRef } from "preact/hooks";
import { isCurrent, nodeDetails, selectionKey } from "../../core/details";
import { whyLost } from "../../core/kernel";
import { KEYS } from "../dom";
import { BUTTONS } from "../icons";
import { Picture, Scrolling, useFreshId } from "./bits";
import { Settings } from "./form";
import { NodeHeader } from "./header";
import { Output } from "./output";
import { Overview } from "./overview";
import type { Given } from "./panel";
import { Result } from "./result";
import { NothingSelected, SeveralHeader, SeveralNodes } from "./several";
import { Source } from "./source";
import { Splitter } from "./splitter";
import { remembered, TABS, type Tab } from "./state";

export function Inspector(given: Given) {
  const { session, signals, graph } = given;
  const { topics } = signals;
  void [topics.panels.value, signals.graph.value];
  if (graph && !session.panels.includes("inspector")) return null;
  const nodes = signals.nodes.value;
  return (
    <>
      {graph && <Splitter />}
      {graph && (
        <button
          type="button"
          class="fuse-close"
          title="Close the inspector"
          aria-label="Close the inspector"
          data-fuse-role="close-inspector"
          onClick={() => session.open("inspector", false)}
          {...KEYS}
        >
          <Picture path={BUTTONS.close} />
        </button>
      )}
      {nodes.length === 0 ? (
        <NothingSelected given={given} />
      ) : (
        <Inspected given={given} nodes={nodes} />
      )}
    </>
  );
}

function Inspected({ given, nodes }: { given: Given; nodes: readonly number[] }) {
  const { session, signals } = given;
  const { tab } = remembered(session);
  const id = useFreshId();
  void [signals.topics.details.value, signals.graph.value, signals.topics.kernel.value];
  const tabs: readonly Tab[] = nodes.length === 1 ? TABS : TABS.slice(0, 2);
  const open = tabs.includes(tab.value) ? tab.value : "Overview";
  const node = nodes[0];
  const current = isCurrent(session.details, session);
  const details = nodeDetails(session.details, session);
  const lost = current ? "" : whyLost(session.kernel);
  const area = useRef<HTMLDivElement>(null);
  const about = selectionKey(session.selected);
  // Another node begins at its top.
  useLayoutEffect(() => {
    if (area.current) area.current.scrollTop = 0;
  }, [about, open]);
  return (
    <>
      {nodes.length === 1 ? (
        <NodeHeader given={given} node={node} />
      ) : (
        <SeveralHeader given={given} nodes={nodes} />
      )}
      <Tabs tabs={tabs} open={open} id={id} choose={(chosen) => (tab.value = chosen)} />
      <Scrolling
        ref={area}
        class={`fuse-tabarea fuse-tabarea-${open.toLowerCase()} ${current ? "" : "fuse-stale"}`}
        role="tabpanel"
        id={`${id}-area`}
        aria-labelledby={`${id}-${open}`}
        aria-busy={!current}
        data-fuse-tab={open}
      >
        {lost && <p class="fuse-lost">Not known any more: {lost}.</p>}
        {open === "backend_info" && !lost && <Settings given={given} headed />}
        {open === "Overview" && nodes.length > 1 && <SeveralNodes given={given} nodes={nodes} />}
        {open === "Overview" && nodes.length === 1 && (
          <Overview given={given} node={node} details={details} />
        )}
        {open === "Output" && <Output given={given} node={node} />}
        {open === "Result" && <Result given={given} node={node} details={details} />}
        {open === "Source" && <Source given={given} details={details} />}
      </Scrolling>
    </>
  );
}

interface TabsProps {
  tabs: readonly Tab[];
  open: Tab;
  id: string;
  choose: (tab: Tab) => void;
}

function Tabs({ tabs, open, id, choose }: TabsProps) {
  const key = (event: KeyboardEvent): void => {
    const at = tabs.indexOf(open);
    const to = {
      ArrowRight: (at + 1) % tabs.length,
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    choose(tabs[to]);
    (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(".fuse-tab")[to]?.focus();
  };
  return (
    <div class="fuse-tabs" role="tablist" aria-label="About the selection" onKeyDown={key}>
      {tabs.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          class="fuse-tab"
          id={`${id}-${name}`}
          data-fuse-role={`tab-${name}`}
          aria-selected={name === open}
          aria-controls={`${id}-area`}
          tabIndex={name === open ? 0 : -1}
          onClick={() => choose(name)}
          {...KEYS}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
