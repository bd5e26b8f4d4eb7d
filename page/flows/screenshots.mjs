// Writes the screenshots of ../docs from the demo: `HIGHWATER_BIN=… npm run screenshots`. It takes about three minutes.
// The page takes the font Inter where a machine has it (Debian: fonts-inter), else the system's own.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { demo, go, launch, open } from "./browser.mjs";

const DOCS = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../docs");
const SHOTS = [
  // The first minutes of the demo's story; an hour of it, so that there is a history.
  { name: "page-light", speed: 1, after: 40, view: "/", scheme: "light", width: 1280, height: 900 },
  { name: "page-dark", speed: 60, after: 63, view: "/groups/demo/billing", scheme: "dark", width: 1280, height: 1240 },
  { name: "page-phone", speed: 20, after: 40, view: "/groups", scheme: "light", width: 390, height: 844 },
  { name: "page-phone-dark", speed: 60, after: 50, view: "/groups/demo/billing", scheme: "dark", width: 390, height: 844 },
];

const browser = await launch();
for (const { name, speed, after, view, ...options } of SHOTS) {
  const highwater = await demo(speed);
  await pause(after * 1000);
  const { page, close } = await open(browser, highwater.url, options);
  await go(page, view);
  await pause(5000);
  await page.screenshot({ path: join(DOCS, `${name}.png`), optimizeForSpeed: false });
  await close();
  await highwater.end();
}
await browser.close();
