#!/usr/bin/env node
// Runs a hook that was written for Claude Code as a hook of Codex.
//
//   node codex-adapter.mjs '{"matcher":"Edit|Write","if":"Bash(git *)",…}' '<command>'
//
// Codex's input comes in on stdin. The command gets it as Claude Code would give it: a patch becomes
// one call for each file it touches. What the command answers is put into words that Codex honours;
// what Codex would take for a failed hook, and so let pass, becomes a refusal.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, isAbsolute, join, relative, resolve } from "node:path";

const GUARDS = ["PreToolUse", "PermissionRequest"];
const IS_TOOL = ["PreToolUse", "PermissionRequest", "PostToolUse"];
const IS_STOP = ["Stop", "SubagentStop"];

let event = "";

// A guard of a tool that can't run must not let pass what it guards; anything else goes on.
process.on("uncaughtException", (error) => {
  process.stderr.write(`codex-adapter: ${error.message}\n`);
  process.exit(event === "" || GUARDS.includes(event) ? 2 : 1);
});

const spec = JSON.parse(process.argv[2]);
const command = process.argv[3];
const input = JSON.parse(readFileSync(0, "utf8"));
event = input?.hook_event_name ?? "";
if (event === "") throw new Error("what came in is no input of a hook");
const folder = input.cwd || process.cwd();

const calls = (IS_TOOL.includes(event) ? toolCalls() : [input]).filter(meetsCondition);
const answers = calls.map(run);
const blocked = answers.find((answer) => answer.block !== undefined);
if (IS_STOP.includes(event)) capBlocks(blocked);
write(answers, blocked);

// --- What the command is told -----------------------------------------------------------------

/** The calls of Claude's tools that a call in Codex stands for, those that the matcher wants. */
function toolCalls() {
  const given = input.tool_input ?? {};
  const as = (names, tool_input, tool_response) => {
    const tool_name = names.find(wanted);
    if (tool_name === undefined) return [];
    const call = { ...input, tool_name, tool_input };
    if (event === "PostToolUse" && tool_response) call.tool_response = tool_response;
    return [call];
  };
  const text = typeof given.command === "string" ? given.command : given.input;
  switch (input.tool_name) {
    case "apply_patch":
      return patchCalls(text ?? "", as);
    case "Bash": {
      const output = String(input.tool_response ?? "");
      const bash = as(["Bash"], given, { stdout: output, stderr: "", interrupted: false, isImage: false });
      // A model without the tool edits so; Codex shows it as a call of the shell.
      const isPatch = /\bapply_?patch\b/.test(text) && text.includes("*** Begin Patch");
      return isPatch ? [...bash, ...patchCalls(text, as)] : bash;
    }
    case "spawn_agent": {
      const prompt = given.message ?? given.prompt ?? "";
      const agent = { prompt, description: given.task_name ?? prompt.slice(0, 60), subagent_type: given.agent_type ?? "default" };
      return as(["Agent", "Task"], { ...given, ...agent });
    }
    default: {
      const [, server, tool] = /^mcp__(.+?)__(.*)$/.exec(input.tool_name) ?? [];
      const own = spec.servers?.[server];
      return as(own ? [`mcp__${own}__${tool}`, input.tool_name] : [input.tool_name], given);
    }
  }
}

/** One call of `Write` or `Edit` for each file of a patch. */
function patchCalls(patch, as) {
  const files = [];
  let file, hunk;
  for (const line of patch.split("\n")) {
    const head = /^\*\*\* (Add File|Update File|Delete File|Move to): (.*?)\r?$/.exec(line);
    if (head) {
      file = { kind: head[1], path: resolve(folder, head[2].trim()), edits: [], from: file };
      hunk = undefined;
      files.push(file);
      // What is moved is written anew at its new place, with what the hunks say.
      if (file.kind === "Move to" && file.from) file.edits = file.from.edits;
    } else if (file && line.startsWith("*** End Patch")) {
      file = undefined;
    } else if (file && line.startsWith("@@")) {
      hunk = undefined;
    } else if (file && /^[ +-]|^$/.test(line)) {
      if (!hunk) file.edits.push((hunk = { old: [], new: [] }));
      if (line[0] !== "+") hunk.old.push(line.slice(1));
      if (line[0] !== "-") hunk.new.push(line.slice(1));
    }
  }
  return files.flatMap(({ kind, path, edits }) => {
    const texts = edits.map((edit) => ({ old_string: edit.old.join("\n"), new_string: edit.new.join("\n") }));
    const all = (key) => texts.map((text) => text[key]).join("\n");
    const notebook = path.endsWith(".ipynb") ? ["NotebookEdit"] : [];
    const done = { filePath: path, success: true };
    if (kind === "Add File" || kind === "Move to") {
      const content = all("new_string");
      const names = ["Write", ...notebook, "Edit", "MultiEdit"];
      return as(names, { file_path: path, notebook_path: path, content, new_string: content, old_string: "", new_source: content }, done);
    }
    const changed = { file_path: path, notebook_path: path, old_string: all("old_string"), new_string: all("new_string"), replace_all: false, edits: texts };
    return as(["Edit", "MultiEdit", ...notebook, "Write"], { ...changed, content: changed.new_string, new_source: changed.new_string }, done);
  });
}

// --- The command ------------------------------------------------------------------------------

/** Runs the command on one input and reads its answer. */
function run(call) {
  const told = { ...call };
  const transcript = spec.transcript ? claudeTranscript(call.transcript_path) : undefined;
  if (transcript) told.transcript_path = transcript.path;
  let done;
  try {
    done = runCommand(told);
  } finally {
    if (transcript) rmSync(transcript.folder, { recursive: true, force: true });
  }
  const end = ended(done);
  if (end) return end;
  const text = done.stdout.trim();
  if (!text.startsWith("{")) return { text };
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    return { text };
  }
  return read(answer, calls.length === 1 && told.tool_name === input.tool_name);
}

/** What an answer decides. */
function read(answer, isSameCall) {
  const own = answer.hookSpecificOutput ?? {};
  const context = [own.additionalContext, answer.additionalContext].filter((text) => typeof text === "string" && text);
  const result = { context, message: answer.systemMessage };
  const reason = own.permissionDecisionReason ?? answer.reason ?? answer.stopReason ?? "A hook refused this and gave no reason.";
  if (answer.continue === false) {
    if (event === "PreToolUse" || event === "PermissionRequest") return { ...result, block: answer.stopReason ?? reason };
    return { ...result, stop: answer.stopReason ?? reason };
  }
  if (event === "PreToolUse") {
    const decision = own.permissionDecision ?? { block: "deny" }[answer.decision];
    if (decision === "deny") return { ...result, block: reason };
    if (decision === "ask" || decision === "defer")
      return { ...result, block: `${reason} (The hook wants the user to be asked first, which a hook can't do in Codex: tell the user what you want to do and why, and leave it to them.)` };
    if (own.updatedInput && isSameCall) return { ...result, updatedInput: own.updatedInput };
    if (own.updatedInput) return { ...result, block: `${reason} (The hook wants other input for this call, which can't be put into a patch.)` };
    return result;
  }
  if (event === "PermissionRequest") {
    const { behavior, message, updatedInput } = own.decision ?? {};
    if (behavior === "deny") return { ...result, block: message || reason };
    // Allowed was another input than this one: then the user decides.
    return behavior === "allow" && !updatedInput ? { ...result, allow: true } : result;
  }
  return answer.decision === "block" ? { ...result, block: reason } : result;
}

/** Codex's session file in the form that Claude Code's transcripts have: messages and calls. */
function claudeTranscript(path) {
  if (!path) return undefined;
  const lines = [];
  const add = (role, content) => lines.push(JSON.stringify({ type: role, sessionId: input.session_id, cwd: folder, message: { role, content } }));
  try {
    for (const line of readFileSync(path, "utf8").split("\n")) {
      const { type, payload } = line ? JSON.parse(line) : {};
      if (type !== "response_item") continue;
      if (payload.type === "message" && payload.role !== "developer")
        add(payload.role, (payload.content ?? []).map(({ text }) => ({ type: "text", text: text ?? "" })));
      if (payload.type === "function_call" || payload.type === "custom_tool_call") {
        const raw = payload.arguments ?? payload.input;
        const name = { exec_command: "Bash", shell_command: "Bash" }[payload.name] ?? payload.name;
        let given = { command: raw };
        try {
          given = JSON.parse(raw);
          if (typeof given.cmd === "string") given.command = given.cmd;
        } catch {}
        add("assistant", [{ type: "tool_use", id: payload.call_id, name, input: given }]);
      }
      if (payload.type === "function_call_output" || payload.type === "custom_tool_call_output") {
        const content = typeof payload.output === "string" ? payload.output : JSON.stringify(payload.output);
        add("user", [{ type: "tool_result", tool_use_id: payload.call_id, content }]);
      }
    }
  } catch {
    // A file that can't be read now: the hook gets what could be.
  }
  const temporary = mkdtempSync(join(tmpdir(), "codex-adapter-"));
  const written = join(temporary, "transcript.jsonl");
  writeFileSync(written, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  return { folder: temporary, path: written };
}

// --- What Codex is told -----------------------------------------------------------------------

/** Writes one answer for all calls, of fields that Codex takes for this event only: any other fails the hook. */
function write(answers, blocked) {
  const failed = answers.find((answer) => answer.failed);
  if (failed && !blocked) {
    process.stderr.write(`${failed.failed}\n`);
    process.exitCode = 1;
    return;
  }
  const out = {};
  const own = {};
  const texts = answers.map((answer) => answer.text).filter(Boolean);
  const takesText = event === "SessionStart" || event === "UserPromptSubmit" || event === "SubagentStart";
  const context = [...answers.flatMap((answer) => answer.context ?? []), ...(takesText ? texts : [])].join("\n");
  const messages = answers.map((answer) => answer.message).filter((text) => typeof text === "string" && text);
  const stop = answers.find((answer) => answer.stop !== undefined);
  const block = blocked && blocked.block !== undefined ? String(blocked.block) || "Blocked by a hook." : undefined;
  if (messages.length > 0) out.systemMessage = messages.join("\n");
  if (context && (takesText || event === "PreToolUse" || event === "PostToolUse")) own.additionalContext = context;
  if (stop) Object.assign(out, { continue: false, stopReason: String(stop.stop) });
  if (event === "PreToolUse" && block !== undefined) Object.assign(own, { permissionDecision: "deny", permissionDecisionReason: block });
  else if (event === "PermissionRequest" && block !== undefined) own.decision = { behavior: "deny", message: block };
  else if (event === "PermissionRequest" && answers.length > 0 && answers.every((answer) => answer.allow)) own.decision = { behavior: "allow" };
  else if (["UserPromptSubmit", "PostToolUse", ...IS_STOP].includes(event) && block !== undefined) Object.assign(out, { decision: "block", reason: block });
  else if (block !== undefined) Object.assign(out, { continue: false, stopReason: block });
  const updated = answers.find((answer) => answer.updatedInput)?.updatedInput;
  if (updated && block === undefined) Object.assign(own, { permissionDecision: "allow", updatedInput: updated });
  if (Object.keys(own).length > 0) out.hookSpecificOutput = { hookEventName: event, ...own };
  if (Object.keys(out).length > 0) process.stdout.write(`${JSON.stringify(out)}\n`);
}
