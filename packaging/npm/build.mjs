// Makes the npm packages from a built binary:
//
//   node build.mjs --binary PATH --out DIR [--platform linux] [--arch x64] [--workspace DIR]
//
// DIR/codex-loadout is the launcher with the types, DIR/codex-loadout-PLATFORM-ARCH has the binary. No package has an
// install script. The version is that of the workspace; the types are made from the schemas that it prints.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { compile } from "json-schema-to-typescript";

const PLATFORMS = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"];

const { values } = parseArgs({
  options: {
    binary: { type: "string" },
    out: { type: "string" },
    platform: { type: "string", default: process.platform },
    arch: { type: "string", default: process.arch },
    workspace: { type: "string", default: path.join(import.meta.dirname, "../..") },
  },
});
if (!values.binary || !values.out) {
  console.error("usage: node build.mjs --binary PATH --out DIR [--platform NAME] [--arch NAME] [--workspace DIR]");
  process.exit(2);
}
const schemas = JSON.parse(execFileSync(values.binary, ["schema"], { encoding: "utf8", maxBuffer: 1 << 26 }));
const here = import.meta.dirname;
const workspace = readFileSync(path.join(values.workspace, "Cargo.toml"), "utf8");
const about = {
  version: /^version = "(.+)"$/m.exec(workspace)[1],
  license: "Apache-2.0",
};
const platform = `${values.platform}-${values.arch}`;

await launcher(path.join(values.out, "codex-loadout"));
binary(path.join(values.out, `codex-loadout-${platform}`));

async function launcher(folder) {
  rmSync(folder, { recursive: true, force: true });
  cpSync(path.join(here, "launcher"), folder, { recursive: true });
  const optional = PLATFORMS.map((name) => [`codex-loadout-${name}`, about.version]);
  write(folder, {
    name: "codex-loadout",
    description: "One loadout a thread, in front of codex app-server",
    ...about,
    bin: { "codex-loadout": "bin/codex-loadout.js" },
    main: "index.js",
    types: "index.d.ts",
    files: ["bin", "index.js", "index.d.ts"],
    engines: { node: ">=20" },
    optionalDependencies: Object.fromEntries(optional),
  });
  writeFileSync(path.join(folder, "index.d.ts"), await types());
}

function binary(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(path.join(folder, "bin"), { recursive: true });
  const file = values.platform === "win32" ? "codex-loadout.exe" : "codex-loadout";
  copyFileSync(values.binary, path.join(folder, "bin", file));
  chmodSync(path.join(folder, "bin", file), 0o755);
  write(folder, {
    name: `codex-loadout-${platform}`,
    description: `codex-loadout for ${platform}`,
    ...about,
    files: ["bin"],
    os: [values.platform],
    cpu: [values.arch],
  });
}

function write(folder, manifest) {
  writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** All types of the extension in one file: each schema has its own copy of what it shares with others. */
async function types() {
  const definitions = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const { $defs = {}, $schema, ...root } = schema;
    Object.assign(definitions, $defs, { [name]: root });
  }
  const text = JSON.stringify({ definitions }).replaceAll("#/$defs/", "#/definitions/");
  const compiled = await compile(JSON.parse(text), "CodexLoadout", {
    unreachableDefinitions: true,
    additionalProperties: false,
    bannerComment: "/** What codex-loadout adds to `codex app-server`, made from its JSON Schemas. */",
  });
  const path = "/** The absolute path of this platform's `codex-loadout`. */\nexport function binaryPath(): string;\n";
  const references = / \*\n \* This interface was referenced by `CodexLoadout`'s JSON-Schema\n \* via the `definition` "\w+"\.\n/g;
  return `${compiled.replaceAll(references, "")}\n${path}`;
}
