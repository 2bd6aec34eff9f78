import { existsSync, readFileSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";

/** The browser that `.ci/browser` has found; without one Playwright looks for its own. */
function chromium(): { executablePath?: string } {
  const found = new URL("../.venv/.browser", import.meta.url);
  return existsSync(found) ? { executablePath: readFileSync(found, "utf8").trim() } : {};
}

// Long for any test, as the machine may be slow and busy with others.
const patience = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 60_000 } },
};

// "unit" runs in Node and jsdom; "browser" in Chromium, for what has to be laid out, painted and focused.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts", "test/**/*.test.tsx"],
          exclude: ["test/browser/**"],
          setupFiles: ["test/setup.mjs"],
          environment: "node",
          // One process runs many files: to begin anew for each takes longer than its tests.
          isolate: false,
          maxWorkers: 2,
          ...patience,
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.{ts,tsx}"],
          ...patience,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            connectTimeout: 180_000,
            provider: playwright({
              launchOptions: {
                ...chromium(),
                args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
              },
            }),
            instances: [{ browser: "chromium", viewport: { width: 1200, height: 800 } }],
          },
        },
      },
    ],
  },
});
