import type { Given } from "./panel";

export function Inspector(_given: Given) {
  return null;
}
