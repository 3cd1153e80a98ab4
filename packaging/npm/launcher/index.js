// Where the binary is: for hosts that start it themselves, without a launcher in between. On Windows that is the way
// past npm's shims.
"use strict";
const path = require("node:path");

/** The absolute path of this platform's `codex-loadout`. */
function binaryPath() {
  const name = `codex-loadout-${process.platform}-${process.arch}`;
  const file = process.platform === "win32" ? "codex-loadout.exe" : "codex-loadout";
  try {
    return path.join(path.dirname(require.resolve(`${name}/package.json`)), "bin", file);
  } catch {
    throw new Error(
      `the package ${name} is not installed\n` +
        `hint: install codex-loadout again without --no-optional, or build it from source with cargo install`,
    );
  }
}

module.exports = { binaryPath };
