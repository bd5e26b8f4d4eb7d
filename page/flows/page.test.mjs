// What a person does on the page, in a real Chromium on the real demo.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { below, demo, flaws, go, guarded, judged, kubectl, launch, open, settled, signIn, text, texts } from "./browser.mjs";

const VIEWS = ["/", "/groups", "/groups/demo/audit", "/groups/demo/search-index", "/topics", "/topics/demo/payments", "/alerts", "/monitors", "/nowhere"];
const NAMES = ["audit", "billing", "checkout", "search-index"];

let browser;
let highwater;
before(async () => {
  [browser, highwater] = [await launch(), await demo(30)];
});
after(async () => {
  await browser?.close();
  await highwater?.end();
});

/** A test on a page of its own, at the end of which the console must have been silent. */
function flow(name, options, steps) {
  test(name, { timeout: 120_000 }, async () => {
    const opened = await open(browser, options.url?.() ?? highwater.url, options);
    try {
      await steps(opened);
      assert.deepEqual(opened.complaints, []);
    } finally {
      await opened.close();
    }
  });
}

flow("the overview says how old the oldest data is, within which bound, and whose", {}, async ({ page }) => {
  await page.waitForSelector(".worst a");
  assert.deepEqual((await texts(page, ".worst a")).sort(), NAMES);
  assert.match(await text(page, ".hero .age.big"), /^(≥ )?\d+[dhm] \d+[hms]( ± \d+ ?(ms|s|m))?/);
  assert.equal(await text(page, ".hero-where a"), (await texts(page, ".worst a"))[0]);
  assert.match(await page.title(), /^(\(\d+\) )?Overview · Highwater$/);
  assert.equal((await texts(page, ".states .state")).join(" "), "OFFLINE RECOVERING ONLINE");
  await page.waitForFunction(() => document.querySelectorAll(".worst .spark .line").length === 4);
  const [kafkas, totals] = [await texts(page, ".kafkas dd"), await page.evaluate(async () => (await fetch("api/v1/totals")).json())];
  assert.deepEqual(await texts(page, ".kafkas dt"), ["Stable", "Rebalancing", "Empty", "Other"]);
  assert.equal(kafkas.reduce((sum, one) => sum + Number(one), 0), totals.groups);
});

flow("when members of a group came and left stands below its history", {}, async ({ page }) => {
  await go(page, "/groups/demo/billing");
  // It gets a second replica eight minutes after the start, which are sixteen seconds here.
  await page.waitForSelector(".changes summary");
  assert.match(await text(page, ".changes summary"), /^\d+ changes? of members or assignments, the last .*\d\d:\d\d/);
  await page.click(".changes summary");
  assert.match((await texts(page, ".changes li")).at(-1), /^.*\d\d:\d\d.* joined: .+; 2 members$/);
});

flow("from the overview to a group, to its topic, and back", {}, async ({ page }) => {
  await page.waitForSelector(".worst a");
  await page.evaluate(() => [...document.querySelectorAll(".worst a")].find((link) => link.textContent === "billing").click());
  await page.waitForSelector(".chart canvas");
  assert.equal(await text(page, "h1"), "billing");
  assert.match(await page.title(), /billing · Highwater$/);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
  assert.ok((await page.$$(".heat li")).length > 0);
  assert.match(await text(page, ".members li .member-share"), /^\d+ partitions? \d+ %$/);
  assert.match(await text(page, ".next"), /\w{3}/);
  const section = (id) => page.$eval(`#${id}`, (heading) => heading.closest("section").textContent);
  assert.match(await section("objective"), /\d+ %of partitions within their limits; 95 % wanted.*Error budget−?[\d.]+ %.* of 30 d.*Burn rate, 5 m\d/);
  assert.match(await section("rebalances"), /of 100 for stability; 70 wanted|known after 1 h of watching/);
  await page.click(".hero-where a");
  await page.waitForSelector(".consumers");
  assert.equal(await text(page, "h1"), "payments");
  assert.deepEqual(await texts(page, ".consumers tbody a"), ["billing"]);
  await page.waitForFunction(() => /Kept for(ever|\d+ [dhm])/.test(document.querySelector(".hero .figures").textContent));
  assert.match(await text(page, ".logs li"), /^01 group\d[\d,]* … \d[\d,]*$/);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector("h1")?.textContent === "billing");
  await page.goBack();
  await page.waitForSelector(".worst");
});

flow("the list is searched, filtered and sorted, and the address keeps it", {}, async ({ page }) => {
  await go(page, "/groups");
  const rows = () => texts(page, ".groups tbody th a");
  const shows = (...names) => page.waitForFunction((names) => [...document.querySelectorAll(".groups tbody th a")].map((link) => link.textContent).join() === names, {}, names.join());
  await page.waitForFunction(() => document.querySelectorAll(".groups tbody tr").length === 4);
  await page.waitForSelector("[aria-sort=descending]");
  assert.equal((await rows())[0], "audit");
  await page.keyboard.down("Control");
  await page.keyboard.press("k");
  await page.keyboard.up("Control");
  await page.keyboard.type("BILL", { delay: 40 });
  await shows("billing");
  assert.match(page.url(), /q=BILL/);
  await page.reload({ waitUntil: "domcontentloaded" });
  await shows("billing");
  await page.$eval("input[type=search]", (field) => field.select());
  await page.keyboard.press("Backspace");
  await page.waitForFunction(() => document.querySelectorAll(".groups tbody tr").length === 4);
  await page.click(".segments button:nth-child(2)");
  await page.waitForFunction(() => [...document.querySelectorAll(".groups .cell-state")].every((cell) => cell.textContent === "OFFLINE"));
  assert.ok((await rows()).includes("audit"));
  await page.click(".segments button:nth-child(1)");
  await page.click("th .sort");
  await shows(...NAMES);
  await page.click("th .sort");
  await shows(...[...NAMES].reverse());
  await page.select(".controls label:last-child select", "group_id");
  await shows(...NAMES);
  await page.$eval("input[type=search]", (field) => field.focus());
  await page.keyboard.type("no such thing");
  await page.waitForSelector(".nothing a");
  await page.click(".nothing a");
  await page.waitForFunction(() => document.querySelectorAll(".groups tbody tr").length === 4);
  assert.equal(await page.$eval("input[type=search]", (field) => field.value), "");
});

flow("each group has a line of its ages, its spread, and Kafka's own state", {}, async ({ page }) => {
  await go(page, "/groups");
  await page.waitForFunction(() => document.querySelectorAll(".groups .spark .line").length === 4);
  const groups = await page.evaluate(async () => (await fetch("api/v1/consumers/groups?sort=group_id")).json());
  const row = (id) => page.$$eval(".groups tbody tr", (rows, id) => [...rows.find((row) => row.querySelector("a").textContent === id).children].map((cell) => cell.textContent), id);
  const audit = groups.items.find((one) => one.group_id === "audit");
  const shown = await row("audit");
  assert.deepEqual([shown[2], ...shown.slice(6, 10)], [audit.group_state, ...[audit.lag.total_records, audit.lag.max_records, audit.lag.p95_records, audit.lag.p50_records].map((one) => one.toLocaleString("en"))]);
  await page.select(".controls label:nth-of-type(3) select", "Empty");
  await page.waitForFunction(() => [...document.querySelectorAll(".groups tbody th a")].some((link) => link.textContent === "audit") && [...document.querySelectorAll(".cell-kafka")].every((cell) => cell.textContent === "Empty"));
  await go(page, "/groups?kafka=Dead");
  await page.waitForSelector(".nothing a");
});

flow("on a phone a group still says how far behind it is and whether that is all right", { width: 390, height: 844 }, async ({ page }) => {
  await go(page, "/groups");
  await page.waitForFunction(() => document.querySelectorAll(".groups tbody tr").length === 4);
  const seen = await page.$$eval(".groups tbody tr:first-child [data-label]", (cells) => cells.filter((cell) => cell.offsetParent !== null && cell.getBoundingClientRect().right <= 390).map((cell) => [cell.dataset.label, cell.textContent]));
  const [lag, , , objective] = seen;
  assert.deepEqual(seen.map(([label]) => label), ["Lag", "Drain", "Members", "Objective"]);
  assert.match(lag[1], /^\d/);
  assert.match(objective[1], /^\d+ %, (met|missed)$/);
});

flow("monitors say of themselves what a LagMonitor says, and alerts are narrowed", {}, async ({ page }) => {
  await go(page, "/monitors");
  await page.waitForFunction(() => document.querySelectorAll(".conditions li").length === 4);
  assert.deepEqual(await texts(page, ".conditions .state"), ["Ready: True", "Connected: True", "Published: True", "SLOMet: False"]);
  assert.ok((await texts(page, ".conditions .since")).every((since) => since.startsWith("since ")));
  await go(page, "/alerts");
  await page.waitForSelector(".alerts li");
  assert.ok((await texts(page, ".alerts strong")).includes("Objective missed"));
  await page.click(".segments button:nth-child(3)");
  await page.waitForFunction(() => /severity=warning/.test(location.hash) && [...document.querySelectorAll(".alerts .state")].every((state) => state.textContent === "warning"));
  await page.select(".controls label:nth-of-type(2) select", "unfair_distribution");
  await page.waitForFunction(() => document.querySelector(".nothing-title")?.textContent === "No alert fits");
});

flow("the keyboard alone gets everywhere", {}, async ({ page }) => {
  await page.waitForSelector(".worst a");
  const active = () => page.evaluate(() => `${document.activeElement.tagName} ${document.activeElement.className} ${document.activeElement.textContent.trim()}`);
  await page.keyboard.press("Tab");
  assert.match(await active(), /^A skip/);
  assert.ok(await page.$eval(".skip", (link) => link.getBoundingClientRect().top >= 0));
  await page.keyboard.press("Enter");
  assert.match(await active(), /^MAIN/);
  for (let n = 0; n < 30 && !(await active()).endsWith(" search-index"); n++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".chart canvas");
  assert.equal(await text(page, "h1"), "search-index");
  await page.waitForFunction(() => document.querySelectorAll(".chart output").length && !document.querySelector(".chart output").textContent.startsWith("–"));
  await page.waitForFunction(() => /\d{2}:\d{2}:\d{2}/.test(document.querySelector(".chart output").textContent));
  await page.focus(".plot");
  const reading = () => text(page, ".chart output");
  // The line grows while one looks: the newest moment is whatever it is, the oldest stays.
  const newest = await reading();
  await page.keyboard.press("Home");
  await page.waitForFunction((newest) => document.querySelector(".chart output").textContent !== newest, {}, newest);
  const oldest = await reading();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((oldest) => document.querySelector(".chart output").textContent !== oldest, {}, oldest);
  assert.ok((await reading()) > oldest, "it walks towards the present");
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((oldest) => document.querySelector(".chart output").textContent === oldest, {}, oldest);
  await page.keyboard.press("End");
  await page.waitForFunction((oldest) => document.querySelector(".chart output").textContent > oldest, {}, oldest);
  const visible = await page.$eval(".plot", (plot) => getComputedStyle(plot).outlineStyle);
  assert.notEqual(visible, "none");
  await page.focus("details:not(.changes) summary");
  await page.keyboard.press("Enter");
  await page.waitForSelector("details table");
});

flow("light and dark follow the system until somebody chooses, and that lasts", { scheme: "dark" }, async ({ page }) => {
  const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await paper();
  await page.click(".theme");
  const light = await paper();
  assert.notEqual(dark, light);
  await page.reload({ waitUntil: "load" });
  assert.equal(await paper(), light);
  await page.waitForSelector(".theme");
  await page.click(".theme");
  assert.equal(await paper(), dark);
  await page.click(".theme");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), undefined);
});

flow("figures come by themselves, over the stream and the group's WebSocket", {}, async ({ page, asked }) => {
  await page.waitForSelector(".freshness.live");
  await go(page, "/groups/demo/audit");
  const age = await text(page, ".age.big");
  await page.waitForFunction((age) => document.querySelector(".age.big").textContent !== age, {}, age);
  assert.ok(asked.some((url) => /^ws:.*\/ws\/consumers\/groups\/audit\/live/.test(url)), asked.join("\n"));
  assert.ok(asked.some((url) => url.endsWith("/api/v1/live")));
});

test("what can't be shown is said, with a way on", { timeout: 60_000 }, async () => {
  const { page, close } = await open(browser, highwater.url);
  for (const [hash, title] of [["/groups/demo/ghost", "No such group"], ["/topics/demo/ghost", "No such topic"], ["/nowhere", "There is no such view"]]) {
    await go(page, hash);
    await page.waitForFunction((title) => document.querySelector(".nothing-title")?.textContent === title, {}, title);
    assert.ok(await page.$(".nothing a, .nothing button"), hash);
  }
  await close();
});

test("when Highwater is gone, the last figures stay, with a word of warning", { timeout: 90_000 }, async (t) => {
  const own = await demo(1);
  t.after(own.end);
  const { page, close } = await open(browser, own.url);
  await page.waitForSelector(".worst a");
  await own.end();
  await page.waitForFunction(() => document.querySelector(".notice")?.textContent.includes("does not answer"), { timeout: 40_000 });
  assert.equal((await texts(page, ".worst a")).length, 4);
  assert.match(await text(page, ".freshness"), /^Reconnecting/);
  await close();
});

for (const options of [{ scheme: "light" }, { scheme: "dark" }, { scheme: "light", width: 390, height: 844 }, { scheme: "dark", width: 390, height: 844 }]) {
  flow(`axe finds nothing, and nothing is wider than ${options.width ?? 1280} px, ${options.scheme}`, options, async ({ page, complaints }) => {
    for (const view of VIEWS) {
      await go(page, view);
      if (view.startsWith("/groups/")) await page.waitForSelector(".chart canvas");
      assert.deepEqual(await flaws(page, options.width), [], view);
    }
    assert.deepEqual(complaints, []);
  });
}

test("who is not known signs in, is told what is wrong, and can leave", { timeout: 90_000 }, async (t) => {
  const own = await guarded("tide-1234");
  t.after(own.end);
  const { page, close } = await open(browser, own.url);
  await page.waitForSelector(".sign-in");
  assert.deepEqual(await texts(page, ".card .state"), []);
  await page.type("#token", "ebb");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".wrong").textContent.includes("not good"));
  assert.deepEqual(await flaws(page), []);
  await page.$eval("#token", (field) => field.select());
  await page.type("#token", "tide-1234");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".notice");
  assert.match(await text(page, ".notice"), /default\/orders: the cluster cannot be read/);
  assert.equal(await text(page, "h1"), "1 cluster does not answer");
  await page.reload({ waitUntil: "domcontentloaded" });
  await page.waitForSelector(".freshness.live");
  assert.deepEqual(await page.evaluate(() => document.cookie), "");
  await page.evaluate(() => [...document.querySelectorAll("footer button")].find((button) => button.textContent === "Sign out").click());
  await page.waitForSelector(".sign-in");
  await close();
});

test("a token of Kubernetes becomes a cookie that no script reads and no other site sends, and opens what its owner may see", { timeout: 120_000 }, async (t) => {
  const own = await judged();
  t.after(own.end);
  const token = (name) => kubectl("", "create", "token", name, "--audience", "highwater");
  const { page, close } = await open(browser, own.url);
  await signIn(page, "eyJh.eyJz.c2ln");
  await page.waitForFunction(() => document.querySelector(".wrong")?.textContent.includes("not good"));
  await signIn(page, token("viewer"));
  await page.waitForSelector(".notice");
  assert.match(await text(page, ".notice"), /default\/orders: the cluster cannot be read/);
  assert.equal(await page.evaluate(() => document.cookie), "");
  assert.ok(!page.url().includes("eyJ"));
  const session = await page.createCDPSession();
  const { cookies } = await session.send("Network.getCookies");
  assert.deepEqual(cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]), [["highwater", true, "Strict"]]);
  await page.reload({ waitUntil: "domcontentloaded" });
  await page.waitForSelector(".freshness.live");
  kubectl("", "delete", "serviceaccount", "viewer");
  await page.evaluate(() => [...document.querySelectorAll("footer button")].find((button) => button.textContent === "Sign out").click());
  await signIn(page, token("stranger"));
  await page.waitForFunction(() => document.body.textContent.includes("may not get lagmonitors/report"));
  await close();
});

test("it works below a path, and asks nobody else for anything", { timeout: 60_000 }, async (t) => {
  const proxy = await below("/tools/highwater/", highwater.url);
  t.after(proxy.end);
  const { page, complaints, asked, close } = await open(browser, proxy.url);
  await page.waitForSelector(".freshness.live");
  for (const view of VIEWS.slice(0, -1)) await go(page, view);
  await settled(page);
  const foreign = asked.filter((url) => !url.replace(/^ws:/, "http:").startsWith(proxy.url));
  assert.deepEqual(foreign, []);
  assert.deepEqual(complaints, []);
  await close();
});
