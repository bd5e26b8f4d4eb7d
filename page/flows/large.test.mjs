// A large Highwater: more groups than a page of the API has, each with a week of samples in the store.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { go, large, launch, open, text, texts } from "./browser.mjs";

const GROUPS = 1_050;

let browser;
let highwater;
before(async () => {
  [browser, highwater] = [await launch(), await large(GROUPS)];
});
after(async () => {
  await browser?.close();
  await highwater?.end();
});

test("the list goes on to the last group, with a line for each that is shown", { timeout: 180_000 }, async () => {
  const { page, complaints, asked, close } = await open(browser, `${highwater.url}#/groups?sort=group_id`);
  const rows = () => page.$$eval(".groups tbody tr", (all) => all.length);
  await page.waitForFunction(() => document.querySelectorAll(".spark .line").length === 50);
  assert.match(await text(page, ".tally"), /^1,050 groups, 50 shown$/);
  for (let shown = 50; shown < GROUPS; ) {
    await page.click(".wide");
    await page.waitForFunction((shown) => document.querySelectorAll(".groups tbody tr").length > shown, {}, shown);
    shown = await rows();
  }
  assert.equal(await page.$(".wide"), null);
  const ids = await texts(page, ".groups tbody th a");
  assert.deepEqual(ids, Array.from({ length: GROUPS }, (_, n) => `group-${`${n}`.padStart(4, "0")}`));
  await page.waitForFunction((all) => document.querySelectorAll(".spark .line").length === all, {}, GROUPS);
  const longest = Math.max(...asked.filter((url) => url.includes("/history?")).map((url) => url.length));
  assert.ok(longest < 8_000, `an address of ${longest} characters`);
  assert.deepEqual(complaints, []);
  await close();
});

test("a week of 600 samples opens within 200 ms", { timeout: 120_000 }, async () => {
  const { page, complaints, close } = await open(browser, `${highwater.url}#/groups`);
  const times = [];
  for (let n = 0; n < 9; n++) {
    await go(page, "/groups");
    await page.waitForFunction(() => document.querySelectorAll(".spark .line").length >= 50);
    times.push(
      await page.evaluate(
        (n) =>
          new Promise((drawn) => {
            const link = document.querySelectorAll(".groups tbody th a")[n];
            const began = performance.now();
            const look = () => (document.querySelector(".chart canvas") ? requestAnimationFrame(() => drawn(performance.now() - began)) : requestAnimationFrame(look));
            link.click();
            look();
          }),
        n,
      ),
    );
    assert.match(await text(page, ".chart output"), / ± \d/);
  }
  const [median] = times.sort((a, b) => a - b).slice(times.length >> 1);
  console.log(`opened in ${times.map(Math.round).join(", ")} ms`);
  assert.ok(median <= 200, `${times}`);
  const week = await page.evaluate(async () => {
    const { points } = await (await fetch("api/v1/consumers/groups/group-0500/history?step=1")).json();
    return [points.length, (Date.parse(points.at(-1).time) - Date.parse(points[0].time)) / 86_400_000];
  });
  assert.ok(week[0] >= 600 && week[1] > 6.5, `${week}`);
  assert.deepEqual(complaints, []);
  await close();
});

test("the band is how far an age may be off", { timeout: 60_000 }, async () => {
  const { page, complaints, close } = await open(browser, `${highwater.url}#/groups/bench/group-0500`);
  await page.waitForSelector(".chart canvas");
  // Its colour is that of the line, but thinner, and not as thin as what fills the space below: nothing else has it.
  const bands = (least, most) =>
    page.waitForFunction(
      (least, most) => {
        const canvas = document.querySelector(".chart canvas");
        if (!canvas) return false;
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 35 && data[at + 3] < 90 && data[at + 2] > data[at] + 60) count++;
        return least <= count && count <= most;
      },
      { polling: 100 },
      least,
      most,
    );
  await bands(2_000, Infinity);
  await page.evaluate(() => [...document.querySelectorAll(".segments button")].find((button) => button.textContent === "Records").click());
  // Records are counted: there is nothing that they may be off by.
  await page.waitForFunction(() => document.querySelector(".chart output")?.textContent.includes("records"));
  await bands(0, 500);
  assert.deepEqual(complaints, []);
  await close();
});

test("a topic of which nothing is kept has no line of its own", { timeout: 60_000 }, async () => {
  const { page, complaints, close } = await open(browser, `${highwater.url}#/groups/bench/group-0000`);
  await page.waitForSelector(".chart canvas");
  await page.select(".card .aside select", "young");
  await page.waitForFunction(() => document.querySelector("#history").closest("section").textContent.includes("No samples of young in this span"));
  assert.equal(await page.$(".chart canvas"), null);
  await page.select(".card .aside select", "topic-0000");
  await page.waitForSelector(".chart canvas");
  assert.deepEqual(complaints, []);
  await close();
});
