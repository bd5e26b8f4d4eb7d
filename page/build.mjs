// Builds the page into ../src/http/page: the bundle, and a table of its files that the server includes. The same sources
// give the same bytes. `node build.mjs FOLDER` writes elsewhere.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const folder = process.argv[2] ?? join(here, "../src/http/page");

/** What is in the bundle, and under which licence. */
const PARTS = ["preact", "uplot"];

const { outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: { app: "src/main.tsx", theme: "src/theme.ts", "app.css": "src/style.css" },
  outdir: "out",
  bundle: true,
  write: false,
  minify: true,
  charset: "utf8",
  format: "iife",
  target: ["chrome123", "firefox120", "safari17.5"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
});

const files = Object.fromEntries(outputFiles.map((file) => [file.path.split("/").at(-1).replace(".css.css", ".css"), file.contents]));
files["icon.svg"] = readFileSync(join(here, "icon.svg"));
files["licences.txt"] = Buffer.from(licences());

// The names of files that the index asks for carry a hash, so that they may be kept for ever.
const kinds = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml", txt: "text/plain; charset=utf-8" };
const table = Object.keys(files)
  .sort()
  .map((name) => {
    const [stem, extension] = name.split(".");
    const hash = createHash("sha256").update(files[name]).digest("hex").slice(0, 12);
    return { name, served: extension === "txt" ? name : `${stem}-${hash}.${extension}`, kind: kinds[extension] };
  });
const index = readFileSync(join(here, "index.html"), "utf8").replace(/\{([\w.]+)\}/g, (_, name) => `page/${table.find((file) => file.name === name).served}`);
files["index.html"] = Buffer.from(index);
const indexHash = createHash("sha256").update(index).digest("hex").slice(0, 12);

files["files.rs"] = Buffer.from(`//! The files of the page, written by \`page/build.mjs\` with the bundle beside it. Leaves serving them to \`page.rs\`.

/// One file: the name that it is served under, its media type, and its bytes.
pub(super) type File = (&'static str, &'static str, &'static [u8]);

pub(super) const INDEX: &str = include_str!("index.html");

/// Changes with every byte of the index.
pub(super) const INDEX_ETAG: &str = "\\"${indexHash}\\"";

pub(super) const FILES: [File; ${table.length}] = [
${table.map((file) => `    ("${file.served}", "${file.kind}", include_bytes!("${file.name}")),`).join("\n")}
];
`);

mkdirSync(folder, { recursive: true });
let sum = 0;
for (const [name, bytes] of Object.entries(files)) {
  writeFileSync(join(folder, name), bytes);
  if (name === "files.rs" || name === "licences.txt") continue;
  const packed = gzipSync(bytes, { level: 9 }).length;
  sum += packed;
  console.log(`${name.padEnd(12)} ${String(bytes.length).padStart(7)} bytes, ${String(packed).padStart(6)} gzipped`);
}
console.log(`${"together".padEnd(12)} ${" ".repeat(14)} ${String(sum).padStart(7)} gzipped`);
const LIMIT = 150_000;
if (sum > LIMIT) {
  console.error(`the page is larger than ${LIMIT} bytes gzipped`);
  process.exit(1);
}

function licences() {
  const texts = PARTS.map((name) => {
    const read = (file) => readFileSync(join(here, "node_modules", name, file), "utf8");
    const { version, license } = JSON.parse(read("package.json"));
    return `${name} ${version} (${license})\n\n${read("LICENSE").trim()}\n`;
  });
  return `The page of Highwater contains the following works.\n\n${texts.join(`\n${"-".repeat(72)}\n\n`)}`;
}
