// How public hosts read `codex --version`: thirteen ways, each of its source's kind.
//
//   node version-probes.mjs VERSION PROGRAM ARGUMENT…
import { execFileSync } from "node:child_process";

const [version, program, ...line] = process.argv.slice(2);
const found = (text, expression) => text.match(expression)?.[1];
const probes = {
  "happy": (text) => text.trim().match(/codex-cli\s+(\d+)\.(\d+)\.(\d+)/)?.slice(1).join("."),
  "happy's MCP client": (text) => found(text.trim(), /codex-cli\s+(\d+\.\d+\.\d+(?:-alpha\.\d+)?)/),
  "T3 Code: the first there is": (text) => found(text, /(\d+\.\d+\.\d+)/),
  "the whole line": (text) => found(text.trim(), /^codex-cli (\S+)$/),
  "the whole line, its numbers": (text) => found(text.trim(), /^codex-cli (\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/),
  "the whole text with its line end": (text) => found(text, /^codex-cli\s+(\d+\.\d+\.\d+)\s*$/),
  "one of the lines": (text) => found(text, /^codex-cli\s+(\d+\.\d+\.\d+[^\s]*)\s*$/m),
  "without the name": (text) => text.trim().replace(/^codex-cli /, ""),
  "behind the name": (text) => (text.startsWith("codex-cli ") ? text.slice("codex-cli ".length).trim() : undefined),
  "the last word": (text) => text.trim().split(/\s+/).at(-1),
  "the second of two words": (text) => (text.trim().split(/\s+/).length === 2 ? text.trim().split(/\s+/)[1] : undefined),
  "with or without the name": (text) => found(text.trim(), /^(?:codex-cli\s+)?v?(\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.-]+)?)$/i),
  "a line of two": (text) => (text.split("\n").length === 2 ? found(text, /^codex-cli (\d[\d.]*)\n$/) : undefined),
};
const text = execFileSync(program, line, { encoding: "utf8" });
const failed = Object.entries(probes).filter(([, probe]) => probe(text) !== version);
for (const [name, probe] of failed) console.log(`${name}: ${probe(text)} of ${JSON.stringify(text)}`);
console.log(`${Object.keys(probes).length} probes`);
process.exit(failed.length);
