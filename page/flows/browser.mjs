// A real Chromium before a real Highwater: starts both, opens pages, and hears every complaint of the console.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import puppeteer from "puppeteer-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

export const launch = () => puppeteer.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });

/** Starts `highwater demo`. */
export const demo = (speed) => start("demo", "--speed", `${speed}`);

/** The bootstrap servers of a demo's simulated cluster, for others to sample as well. */
export async function brokers(url) {
  const { items } = await (await fetch(`${url}api/v1/clusters`)).json();
  return items[0].brokers;
}

/** A LagMonitor: `fields` stand below `spec`. */
export const monitor = (name, fields, labels = "") =>
  `apiVersion: highwater.dev/v1alpha1\nkind: LagMonitor\nmetadata: { name: ${name}, namespace: default, labels: { ${labels} } }\nspec: { ${fields} }\n---\n`;

const AWAY = monitor("orders", "brokers: ['127.0.0.1:9']");

/** A folder of its own for one Highwater: where it keeps things, and what goes with it. */
function home() {
  const folder = mkdtempSync(join(tmpdir(), "highwater-page-"));
  const at = (name) => join(folder, name);
  const places = ["--data-dir", at("data"), "--output-dir", at("output")];
  return { at, places, gone: () => rmSync(folder, { recursive: true }) };
}

async function within({ at, places, gone }, ...arguments_) {
  const highwater = await start(...arguments_, ...places);
  const end = async () => {
    await highwater.end();
    gone();
  };
  return { ...highwater, at, end };
}

/** Starts `highwater run` with these documents. */
export async function run(documents, ...flags) {
  const folder = home();
  writeFileSync(folder.at("documents.yaml"), documents);
  return within(folder, "run", "-f", folder.at("documents.yaml"), ...flags);
}

/** Starts `highwater run` that lets in who has the token, with one LagMonitor whose cluster is not there. */
export async function guarded(token) {
  const file = join(mkdtempSync(join(tmpdir(), "highwater-token-")), "token");
  writeFileSync(file, token);
  return run(AWAY, "--auth", "token", "--auth-token-file", file);
}

/** What `kubectl` says as the administrator of the control plane in KUBECONFIG. */
export const kubectl = (input, ...arguments_) => execFileSync("kubectl", arguments_, { input, encoding: "utf8" }).trim();

/** Starts `highwater operator` for one namespace of that control plane, and waits until it knows what is there. */
export async function operator(namespace, ...flags) {
  kubectl(execFileSync(process.env.HIGHWATER_BIN, ["crd"]), "apply", "--server-side", "-f", "-");
  kubectl("", "wait", "--for=condition=Established", "crd/lagmonitors.highwater.dev");
  if (namespace !== "default") kubectl("", "create", "namespace", namespace);
  const highwater = await within(home(), "operator", "--namespace", namespace, "--lease", `${namespace}/highwater`, ...flags);
  while (!(await fetch(`${highwater.url}readyz`)).ok) await pause(100);
  return highwater;
}

/** One that asks the API server who may see what, with one such LagMonitor. */
export async function judged() {
  const highwater = await operator("default", "--auth", "kubernetes");
  kubectl(AWAY, "apply", "-f", "-");
  kubectl("", "create", "clusterrole", "report-viewer", "--verb=get", "--resource=lagmonitors.highwater.dev/report");
  for (const name of ["viewer", "stranger"]) kubectl("", "create", "serviceaccount", name);
  kubectl("", "create", "rolebinding", "see", "--clusterrole=report-viewer", "--serviceaccount=default:viewer");
  return highwater;
}

/** Pastes a token. */
export async function signIn(page, token) {
  await page.waitForSelector("#token");
  await page.$eval("#token", (field) => field.select());
  await page.type("#token", token);
  await page.keyboard.press("Enter");
}

/** Starts the server of the benchmark: so many groups, each with a week of 600 samples in its store. */
export async function large(count) {
  const binary = process.env.HIGHWATER_API_BENCH;
  if (!binary) throw new Error("HIGHWATER_API_BENCH has to name the benchmark of the API");
  return started(spawn(binary, ["--serve", `${count}`], { stdio: ["ignore", "pipe", "pipe"] }), /([\d.]+:\d+)/);
}

/** Starts Highwater on a free port, and tells where its page is once it says so. */
async function start(...arguments_) {
  const binary = process.env.HIGHWATER_BIN;
  if (!binary) throw new Error("HIGHWATER_BIN has to name the program");
  return started(spawn(binary, [...arguments_, "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "pipe"] }), /(?:http:\/\/|address=)([\d.]+:\d+)/);
}

/** A process that says where it serves. */
async function started(child, address) {
  const url = await new Promise((found, failed) => {
    let text = "";
    child.on("exit", (code) => failed(new Error(`Highwater ended with ${code}: ${text}`)));
    const read = (some) => {
      text += some;
      const said = address.exec(text);
      if (said) found(`http://${said[1]}/`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
  });
  const end = async () => {
    if (child.exitCode !== null) return;
    child.kill("SIGINT");
    await once(child, "exit");
  };
  return { url, end };
}

/** A proxy that puts Highwater below a path, as an ingress does, and strips that path. */
export async function below(prefix, url) {
  const { hostname, port } = new URL(url);
  const strip = (path) => (path.startsWith(prefix) ? path.slice(prefix.length - 1) : null);
  const server = http.createServer((request, response) => {
    const path = strip(request.url);
    if (path === null) return void response.writeHead(418).end();
    const onward = http.request({ hostname, port, path, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.on("upgrade", (request, socket) => {
    const onward = net.connect(port, hostname, () => {
      const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      onward.write(`GET ${strip(request.url)} HTTP/1.1\r\n${headers.join("")}\r\n`);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [onward, socket]) end.on("error", () => (onward.destroy(), socket.destroy()));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = () => (server.closeAllConnections(), server.close());
  return { url: `http://127.0.0.1:${server.address().port}${prefix}`, end };
}

/**
 * A page of its own, in which `before` runs before anything else. `complaints` are what the console and the page had to say;
 * `asked` is every address it asked for.
 */
export async function open(browser, url, { width = 1280, height = 900, scheme = "light", before = () => {} } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const [complaints, asked] = [[], []];
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => asked.push(request.url()));
  const session = await page.createCDPSession();
  await session.send("Network.enable");
  session.on("Network.webSocketCreated", ({ url }) => asked.push(url));
  const phone = width < 600;
  await page.setViewport({ width, height, deviceScaleFactor: phone ? 2 : 1, isMobile: phone, hasTouch: phone });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.setDefaultTimeout(20_000);
  await page.evaluateOnNewDocument(before);
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await page.waitForSelector("main h1");
  return { page, complaints, asked, close: () => context.close() };
}

/** Goes to a view by its address, and waits until nothing there is loading any more. */
export async function go(page, hash) {
  await page.evaluate((hash) => void (location.hash = hash), hash);
  await settled(page);
}

export async function settled(page) {
  await page.waitForFunction(() => document.querySelector("main h1") && !document.querySelector(".pending"));
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What axe finds wrong, and what is wider than the screen: it makes a phone's own width grow, which is no measure then. */
export async function flaws(page, width = 1280) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
  const wide = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, innerWidth));
  return wide > width ? [...found, `it is ${wide} px wide`] : found;
}

export const text = (page, selector) => page.$eval(selector, (element) => element.textContent.trim());
export const texts = (page, selector) => page.$$eval(selector, (all) => all.map((element) => element.textContent.trim()));
