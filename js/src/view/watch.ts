// What happens around a view: its size, whether it is in sight, the sharpness of the screen.

export interface Watched {
  resized(): void;
  inSight(yes: boolean): void;
}

export function watchElement(node: HTMLElement, watched: Watched, signal: AbortSignal): void {
  const resize = new ResizeObserver(() => watched.resized());
  resize.observe(node);
  signal.addEventListener("abort", () => resize.disconnect());
  if (typeof IntersectionObserver === "function") {
    const sight = new IntersectionObserver((entries) => {
      watched.inSight(entries.at(-1)?.isIntersecting ?? true);
    });
    sight.observe(node);
    signal.addEventListener("abort", () => sight.disconnect());
  }
  watchRatio(watched.resized, signal);
}

/** A window that moves to another screen, or a page that is zoomed. */
function watchRatio(changed: () => void, signal: AbortSignal): void {
  const ratio = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
  const again = (): void => {
    changed();
    watchRatio(changed, signal);
  };
  ratio.addEventListener("change", again, { once: true, signal });
}
