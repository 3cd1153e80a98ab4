
// --- The same for every platform: how Claude Code reads matchers and conditions, and runs a command ---

/** Whether the matcher wants a tool, or a word of the event: names with `|` or `,` between them, or a pattern. */
function wanted(name) {
  const matcher = spec.matcher ?? "";
  if (matcher === "" || matcher === "*") return true;
  if (/^[\w ,|-]+$/.test(matcher)) return matcher.split(/[|,]/).some((one) => one.trim() === name);
  try {
    return new RegExp(matcher).test(name);
  } catch {
    return false; // As in Claude Code: what is no pattern matches nothing.
  }
}

/** Claude's permission rules as conditions: `Bash(git commit:*)`, `Edit(src/**)`, `Bash`. */
function meetsCondition(call) {
  if (!spec.if) return true;
  const [, tool, pattern] = /^([^(]+)(?:\((.*)\))?$/s.exec(spec.if.trim()) ?? [];
  const same = (a, b) => a === b || (a === "Agent" && b === "Task") || (a === "Task" && b === "Agent");
  const isEdit = (name) => ["Edit", "Write", "MultiEdit", "NotebookEdit"].includes(name);
  // `Edit(…)` speaks of every tool that edits files.
  const named = same(tool, call.tool_name) || (tool === "Edit" && isEdit(call.tool_name)) || (tool.startsWith("mcp__") && call.tool_name.startsWith(`${tool}__`));
  if (!named) return false;
  if (pattern === undefined || pattern === "" || pattern === "*") return true;
  if (tool === "Bash") return subcommands(String(call.tool_input.command ?? "")).some((part) => commandFits(pattern, part));
  const path = call.tool_input.file_path;
  return path === undefined ? pattern === call.tool_input.subagent_type : pathFits(pattern, path);
}

/** The commands in a line, without variables set before them. Rather one too many than one too few. */
function subcommands(line) {
  const parts = line.split(/&&|\|\||[;|&\n(){}`]|\$\(/).map((part) => part.trim().replace(/^(?:\w+=\S*\s+|(?:sudo|exec|time|nohup|then|do|else|!)\s+)+/, ""));
  return [line.trim(), ...parts];
}

function commandFits(pattern, part) {
  const prefix = /^(.*?):\*$/s.exec(pattern)?.[1] ?? /^([^*]*) \*$/s.exec(pattern)?.[1];
  if (prefix !== undefined) return part === prefix || part.startsWith(`${prefix} `);
  return new RegExp(`^${pattern.split("*").map(escaped).join(".*")}$`, "s").test(part);
}

/** As in .gitignore: a name without a slash is meant in every folder. */
function pathFits(pattern, path) {
  path = resolve(folder, path);
  if (pattern.startsWith("//")) pattern = pattern.slice(1);
  else if (pattern.startsWith("~/")) pattern = join(homedir(), pattern.slice(2));
  else if (pattern.startsWith("/")) pattern = join(folder, pattern);
  if (!isAbsolute(pattern)) path = relative(folder, path);
  const glob = pattern.replace(/^\.\//, "").split(/(\*\*\/|\*\*|\*|\?)/).map((part) => ({ "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]" })[part] ?? escaped(part)).join("");
  return new RegExp(`^${glob}(?:/.*)?$`, "s").test(path) || (!pattern.includes("/") && new RegExp(`^${glob}$`, "s").test(basename(path)));
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Runs the command with an input of Claude Code's. */
function runCommand(told) {
  const env = { ...process.env, CLAUDE_PROJECT_DIR: folder };
  const shell = ["/bin/bash", "/usr/bin/bash"].find(existsSync) ?? true;
  const done = spawnSync(command, { shell, cwd: folder, env, input: JSON.stringify(told), encoding: "utf8", maxBuffer: 1 << 26 });
  // EPIPE: a command need not read what it is told.
  if (done.error && done.error.code !== "EPIPE") throw done.error;
  return done;
}

/** What its end says by itself; nothing where its answer is to be read. */
function ended(done) {
  if (done.status === 2) return { block: done.stderr.trim() || "Blocked by a hook that gave no reason." };
  if (done.status !== 0) return { failed: done.stderr.trim() || `The hook ended with ${done.status ?? done.signal}.` };
  return undefined;
}

/** Ends what would go on for ever: as Claude Code does with a Stop hook that always blocks. */
function capBlocks(answer) {
  const mostInARow = 8;
  const name = createHash("sha256").update(`${input.session_id}\n${input.agent_id ?? ""}\n${command}`).digest("hex");
  const file = join(tmpdir(), `hook-adapter-${name.slice(0, 32)}`);
  if (answer?.block === undefined) return rmSync(file, { force: true });
  let count = 0;
  try {
    if (input.stop_hook_active) count = Number(readFileSync(file, "utf8")) || 0;
  } catch {}
  if (count < mostInARow) return writeFileSync(file, String(count + 1), { mode: 0o600 });
  rmSync(file, { force: true });
  delete answer.block;
  answer.message = `A hook wanted the turn to go on ${count} times in a row; it was ended.`;
}
