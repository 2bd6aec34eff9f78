import type { Given } from "./panel";

export function Form(_given: Given) {
  return null;
}
