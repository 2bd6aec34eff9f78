// What the state of the kernel means for the person. Pure.
import type { Kernel } from "./session";

/** Whether what the kernel knew of this widget cannot be reached any more. */
export function isLost(kernel: Kernel): boolean {
  return kernel === "gone" || kernel === "restarted";
}

/** Why nothing that needs the kernel can be done, and the way out; "" where it can. */
export function whyLost(kernel: Kernel): string {
  if (kernel === "gone") return "the kernel is gone; start one and run the cell again to go on";
  if (kernel === "restarted") return "the kernel was restarted; run the cell again to go on";
  return "";
}

/** "kernel idle · live", "kernel restarted · last known"; "" where nothing is known and all is as it should be. */
export function kernelText(kernel: Kernel, live: boolean): string {
  const parts = [
    kernel === "unknown" ? "" : `kernel ${kernel}`,
    live ? (kernel === "unknown" ? "" : "live") : "last known",
  ];
  return parts.filter(Boolean).join(" \u00b7 ");
}
