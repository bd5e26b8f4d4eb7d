// What is not all right, and what is not there: every view says so, with the reason and a way on.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { brokers, demo, flaws, go, kubectl, launch, monitor, open, operator, run, settled, signIn, text, texts } from "./browser.mjs";

const PATIENCE = { timeout: 120_000 };

let browser;
let cluster;
let spec;
before(async () => {
  [browser, cluster] = [await launch(), await demo(1)];
  spec = `brokers: ${JSON.stringify(await brokers(cluster.url))}, sampling: { interval: 1s }`;
});
after(async () => {
  await browser?.close();
  await cluster?.end();
});

const shows = (page, selector, text) =>
  page.waitForFunction((selector, text) => [...document.querySelectorAll(selector)].some((one) => one.textContent.includes(text)), {}, selector, text);

/** The conditions of a monitor's card: type and status, reason, message. */
const conditions = (page, name) =>
  page.$$eval(".card", (cards, name) => {
    const card = cards.find((one) => one.querySelector("h2").textContent === name);
    return [...card.querySelectorAll(".conditions li")].map((row) => [row.children[0].textContent, row.querySelector("strong").textContent, row.querySelector(".condition-why").textContent]);
  }, name);

/** The same on another screen, such as a phone's. */
async function narrow(browser, url, selector, width = 390) {
  const { page, close } = await open(browser, url, { width, height: 844 });
  await page.waitForSelector(selector);
  assert.deepEqual(await flaws(page, width), [], `${url} at ${width} px`);
  await close();
}

test("every monitor is shown with its conditions, also one that is suspended, refused, or cannot write its file", PATIENCE, async (t) => {
  const file = "output: { file: { path: lag.json } }";
  const own = await run(
    monitor("good", `${spec}, clusterName: good-kafka, ${file}`, "highwater.dev/team: shop") +
      monitor("night", `${spec}, suspend: true`) +
      monitor("secret", `${spec}, sasl: { mechanism: SCRAM-SHA-512, passwordSecretRef: { name: nowhere, key: word } }`),
  );
  t.after(own.end);
  const { page, complaints, close } = await open(browser, `${own.url}#/monitors`);
  await shows(page, ".conditions strong", "Published");
  const names = (await texts(page, ".card h2")).sort();
  assert.deepEqual(names, ["default/night", "default/secret", "good-kafka"]);
  const good = await conditions(page, "good-kafka");
  assert.deepEqual(good.map(([type, reason]) => [type, reason]), [["Ready: True", "Sampling"], ["Connected: True", "Complete"], ["Published: True", "Published"], ["SLOMet: False", "LimitsExceeded"]]);
  assert.match(good[3][2], /^\d+ % of \d+ partitions within limits, 95 % wanted of each group; less in /);
  const night = await conditions(page, "default/night");
  assert.deepEqual(night[0], ["Ready: False", "Suspended", "No samples are taken: write spec.suspend: false to go on."]);
  assert.deepEqual(night.slice(1).map(([type]) => type), ["Connected: Unknown", "Published: Unknown", "SLOMet: Unknown"]);
  const secret = await conditions(page, "default/secret");
  assert.equal(secret[0][1], "SecretNotFound");
  assert.match(secret[0][2], /Secret nowhere does not exist in namespace default: create it/);
  assert.match(await text(page, ".notice"), /^LagMonitor default\/secret: .*Secret nowhere does not exist/);
  assert.match(await text(page, ".sampling"), /^The last sample was .*; one is due every 1 s\.$/);
  assert.deepEqual(await flaws(page), []);
  await narrow(browser, `${own.url}#/monitors`, ".conditions");
  // A folder has the name of the file.
  mkdirSync(own.at("output/default/taken.json/by"), { recursive: true });
  writeFileSync(own.at("documents.yaml"), monitor("good", `${spec}, clusterName: good-kafka, output: { file: { path: taken.json } }`) + monitor("other", `${spec}, output: { file: { path: taken.json/other } }`));
  await shows(page, ".conditions strong", "OutputFile");
  await shows(page, ".conditions strong", "NameTaken");
  assert.deepEqual(complaints, []);
  await close();
});

test("a cluster without groups says so in every view", PATIENCE, async (t) => {
  const own = await run(monitor("empty", `${spec}, groups: { include: [nobody] }, topics: { include: [nothing] }`));
  t.after(own.end);
  const { page, complaints, close } = await open(browser, own.url);
  await shows(page, "h1", "No consumer groups yet");
  assert.deepEqual(await texts(page, ".nothing-title"), ["No consumer groups", "No alerts"]);
  for (const [hash, title] of [["/groups", "No consumer groups"], ["/topics", "No topics"], ["/alerts", "No alerts"]]) {
    await go(page, hash);
    await shows(page, ".nothing-title", title);
  }
  await go(page, "/alerts?kind=stuck_partitions");
  await shows(page, ".nothing-title", "No alert fits");
  await page.click(".nothing a");
  await shows(page, ".nothing-title", "No alerts");
  assert.deepEqual(complaints, []);
  await close();
});

test("without a LagMonitor there is nothing, and the first one appears by itself", PATIENCE, async (t) => {
  const own = await operator("nobody");
  t.after(own.end);
  const { page, complaints, close } = await open(browser, `${own.url}#/monitors`);
  await shows(page, ".nothing-title", "No LagMonitor yet");
  await go(page, "/");
  await shows(page, "h1", "No LagMonitor yet");
  await go(page, "/groups");
  await shows(page, ".nothing-title", "No LagMonitor yet");
  await go(page, "/monitors");
  kubectl(monitor("night", "brokers: ['127.0.0.1:9'], suspend: true").replace("namespace: default", "namespace: nobody"), "apply", "-f", "-");
  await shows(page, ".conditions strong", "Suspended");
  assert.deepEqual((await conditions(page, "nobody/night")).map(([type]) => type), ["Ready: False", "Connected: Unknown", "Published: Unknown", "SLOMet: Unknown"]);
  await go(page, "/");
  await shows(page, "h1", "Every LagMonitor is suspended");
  assert.deepEqual(complaints, []);
  await close();
});

test("who may see a namespace sees it from its first LagMonitor on, without a reload", PATIENCE, async (t) => {
  const own = await operator("later", "--auth", "kubernetes");
  t.after(own.end);
  kubectl("", "create", "serviceaccount", "viewer", "--namespace", "later");
  kubectl("", "create", "role", "viewer", "--verb=get", "--resource=lagmonitors.highwater.dev/report", "--namespace", "later");
  kubectl("", "create", "rolebinding", "viewer", "--role=viewer", "--serviceaccount=later:viewer", "--namespace", "later");
  const { page, close } = await open(browser, own.url);
  await signIn(page, kubectl("", "create", "token", "viewer", "--audience", "highwater", "--namespace", "later"));
  await shows(page, "h1", "No LagMonitor yet");
  kubectl(monitor("first", spec).replace("namespace: default", "namespace: later"), "apply", "-f", "-");
  await page.waitForSelector(".freshness.live");
  await go(page, "/groups");
  await shows(page, "td, th", "billing");
  await close();
});

test("a group whose LagMonitor is suspended keeps its figures, and a word of when they are from", PATIENCE, async (t) => {
  const own = await run(monitor("orders", spec));
  t.after(own.end);
  const { page, close } = await open(browser, `${own.url}#/groups/${encodeURIComponent("default/orders")}/billing`);
  await page.waitForSelector(".hero");
  writeFileSync(own.at("documents.yaml"), monitor("orders", `${spec}, suspend: true`));
  await page.waitForFunction(() => document.querySelector("main .notice")?.textContent.includes("from before"), { timeout: 60_000 });
  assert.ok(await page.$(".hero"));
  await close();
});

test("teams have a card on the overview, and lists are narrowed to one", PATIENCE, async (t) => {
  const team = (name, include) => monitor(name, `${spec}, groups: { include: [${include}] }, slo: { maxLag: 10m }, clusterName: ${name}-kafka`, `highwater.dev/team: ${name}`);
  const own = await run(team("shop", "billing, checkout") + team("security", "audit") + monitor("nobodys", `${spec}, groups: { include: [search-index] }`));
  t.after(own.end);
  const { page, complaints, close } = await open(browser, own.url);
  await page.waitForFunction(() => document.querySelectorAll(".teams tbody tr").length === 3);
  assert.deepEqual(await texts(page, ".teams tbody th > :first-child"), ["security", "without a team", "shop"], "the oldest data first");
  assert.match(await text(page, ".teams tbody tr:first-child .cell-states"), /^1.*1 OFFLINE, 0 RECOVERING, 0 ONLINE$/);
  assert.deepEqual(await flaws(page), []);
  await narrow(browser, own.url, ".teams tbody tr");
  for (const width of [1280, 1181, 1001, 780]) await narrow(browser, `${own.url}#/groups`, ".groups .spark", width);
  const totals = await page.evaluate(async () => (await fetch("api/v1/totals?team=shop")).json());
  assert.deepEqual([totals.monitors, totals.groups], [1, 2]);
  await page.evaluate(() => [...document.querySelectorAll(".teams a")].find((link) => link.textContent === "shop").click());
  await page.waitForFunction(() => [...document.querySelectorAll(".groups tbody th a")].map((link) => link.textContent).sort().join() === "billing,checkout");
  await go(page, "/alerts");
  await shows(page, ".alerts a", "audit");
  await page.select(".controls label:last-child select", "shop");
  await page.waitForFunction(() => ![...document.querySelectorAll(".alerts a")].some((link) => link.textContent === "audit"));
  await page.select(".controls label:last-child select", "security");
  await shows(page, ".alerts a", "audit");
  assert.match(page.url(), /team=security/);
  assert.deepEqual(complaints, []);
  await close();
});

test("who asks too much is told so, and can try again", PATIENCE, async (t) => {
  const own = await run(monitor("one", spec), "--rate-limit", "1");
  t.after(own.end);
  const { page, close } = await open(browser, own.url);
  await page.waitForFunction(() => [...document.querySelectorAll(".nothing[role=alert]")].some((one) => one.textContent.includes("Too many requests: ask again in")));
  assert.match(await text(page, ".nothing[role=alert] .nothing-title"), /can’t be shown now$/);
  const again = () => page.$$eval(".nothing button", (buttons) => buttons.length > 0 && (buttons[0].click(), true));
  for (let n = 0; n < 100 && !(await page.$(".worst a")); n++) {
    await again();
    await new Promise((later) => setTimeout(later, 1_100));
  }
  assert.ok(await page.$(".worst a"));
  await close();
});

test("a topic that goes while one looks at it leaves its last figures and a word", PATIENCE, async (t) => {
  const own = await run(monitor("one", `${spec}, clusterName: one-kafka`));
  t.after(own.end);
  const { page, close } = await open(browser, `${own.url}#/topics/one-kafka/payments`);
  await shows(page, "h1", "payments");
  await settled(page);
  assert.equal(await page.$(".notice"), null);
  writeFileSync(own.at("documents.yaml"), monitor("one", `${spec}, clusterName: one-kafka, topics: { include: [orders] }`));
  await shows(page, ".notice", "no longer in the report");
  assert.equal(await text(page, "h1"), "payments");
  assert.ok((await texts(page, ".logs li")).length > 0);
  await close();
});

test("a device whose clock is five minutes slow tells how old the figures are all the same", PATIENCE, async () => {
  const before = () => {
    const right = Date.now;
    Date.now = () => right() - 300_000;
    // The stream is heard before the first answer, which knows the server's clock.
    const ask = fetch;
    globalThis.fetch = async (...what) => (await new Promise((done) => setTimeout(done, 1500)), ask(...what));
  };
  const { page, complaints, close } = await open(browser, cluster.url, { before });
  await page.waitForSelector(".freshness .faint");
  // The page's clock goes on once a second: this is by what it has heard.
  await page.evaluate(() => new Promise((done) => setTimeout(done, 1500)));
  assert.match(await text(page, ".freshness .faint"), /^(just now|\d+ s ago)$/);
  assert.deepEqual(complaints, []);
  await close();
});

test("a topic that a group has left is told from one that it reads", PATIENCE, async () => {
  const before = () => {
    const ask = fetch;
    globalThis.WebSocket = class {
      close() {}
    };
    globalThis.fetch = async (...what) => {
      const answer = await ask(...what);
      if (!/groups\/audit\?/.test(what[0])) return answer;
      const group = await answer.json();
      group.topics.unshift({ ...group.topics[0], topic: "left-behind", abandoned: true, abandoned_partitions: 1 });
      return new Response(JSON.stringify(group), { headers: answer.headers });
    };
  };
  const { page, complaints, close } = await open(browser, `${cluster.url}#/groups/demo/audit`, { before });
  await page.waitForSelector(".dense tbody .link");
  assert.notEqual(await text(page, ".hero-where a"), "left-behind", "its age is not the group's");
  const rows = await texts(page, ".dense tbody tr:has(.link) th");
  assert.deepEqual(rows.map((row) => row.endsWith("not read any more")), [true, false]);
  await page.click(".dense tbody .link");
  await shows(page, ".remarks", "do not read this topic any more");
  assert.ok(!(await text(page, ".remarks")).includes("while others advance"));
  assert.deepEqual(complaints, []);
  await close();
});
