// HTML of a result as a page of its own that can run nothing and fetch nothing.

/** No scripts, no network, no forms; pictures only where they stand in the page itself. */
export const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'";
const COLOUR = /^(rgba?|hsla?|oklch|oklab|color)\([\d\s.,%/a-z-]+\)$|^#[\da-f]{3,8}$/i;

/**
 * For the `srcdoc` of a frame with an empty `sandbox`. The policy comes before everything that the HTML brings along.
 *
 * @param colours of text and background, as CSS gives them back; others than plain colours are passed over.
 */
export function page(html: string, colours: { text: string; back: string; dark: boolean }): string {
  const text = COLOUR.test(colours.text) ? colours.text : colours.dark ? "#ddd" : "#222";
  const back = COLOUR.test(colours.back) ? colours.back : colours.dark ? "#111" : "#fff";
  const line = colours.dark ? "#8886" : "#8884";
  return `<!doctype html><html><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}"><base target="_blank">
<style>
:root { color-scheme: ${colours.dark ? "dark" : "light"}; }
body { margin: 8px; background: ${back}; color: ${text}; font: 13px/20px system-ui, "DejaVu Sans", sans-serif; }
table { border-collapse: collapse; font-size: 12px; } table, th, td { border: 0; }
th, td { padding: 2px 8px; text-align: right; border-bottom: 1px solid ${line}; }
pre, code { font: 12px/18px ui-monospace, "DejaVu Sans Mono", monospace; } img, svg { max-width: 100%; }
</style></head><body>
${withoutWays(html)}`;
}

/** The HTML without what leads elsewhere: links do nothing here, also where they are clicked. */
function withoutWays(html: string): string {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  for (const gone of parsed.querySelectorAll(
    "base, meta, link, script, iframe, frame, object, embed",
  )) {
    gone.remove();
  }
  for (const link of parsed.querySelectorAll("a, area, form")) {
    for (const name of ["href", "xlink:href", "action", "ping", "target"])
      link.removeAttribute(name);
  }
  return parsed.head.innerHTML + parsed.body.innerHTML;
}
