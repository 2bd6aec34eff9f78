import type { Given } from "./panel";

export function QueryBox(_given: Given) {
  return null;
}
