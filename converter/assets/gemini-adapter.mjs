#!/usr/bin/env node
// Runs a hook that was written for Claude Code as a hook of the Gemini CLI.
//
//   node gemini-adapter.mjs '{"matcher":"Edit|Write","if":"Bash(git *)",…}' '<command>'
//
// The command gets Claude's names of events and tools and Claude's input; its answer is put into the Gemini CLI's words.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, isAbsolute, join, relative, resolve } from "node:path";

const EVENTS = { BeforeTool: "PreToolUse", AfterTool: "PostToolUse", BeforeAgent: "UserPromptSubmit", AfterAgent: "Stop", PreCompress: "PreCompact" };
const TOOLS = {
  run_shell_command: ["Bash"], replace: ["Edit", "MultiEdit"], write_file: ["Write"], read_file: ["Read"], glob: ["Glob"], grep_search: ["Grep"],
  list_directory: ["LS"], invoke_agent: ["Agent", "Task"], web_fetch: ["WebFetch"], google_web_search: ["WebSearch"], write_todos: ["TodoWrite"],
  activate_skill: ["Skill"],
};
const TAKES_TEXT = ["SessionStart", "UserPromptSubmit"];

let event = "";

// A guard of a tool that can't run must not let pass what it guards; anything else goes on.
process.on("uncaughtException", (error) => {
  process.stderr.write(`gemini-adapter: ${error.message}\n`);
  process.exit(event === "PreToolUse" ? 2 : 1);
});

const spec = JSON.parse(process.argv[2]);
const command = process.argv[3];
const input = JSON.parse(readFileSync(0, "utf8"));
event = EVENTS[input.hook_event_name] ?? input.hook_event_name ?? "";
if (event === "") throw new Error("what came in is no input of a hook");
const folder = input.cwd || process.cwd();
const call = asClaudeHasIt();
if (call && meetsCondition(call)) {
  const answer = run(call);
  if (event === "Stop") capBlocks(answer);
  write(answer);
}

/** The event as Claude Code tells of it; nothing if the matcher does not want it. */
function asClaudeHasIt() {
  const told = { ...input, hook_event_name: event };
  if (event !== "PreToolUse" && event !== "PostToolUse") {
    const word = input.source ?? input.trigger ?? input.reason ?? input.notification_type;
    return word === undefined || wanted(word) ? told : undefined;
  }
  const tool = names(input.tool_name).find(wanted);
  if (tool === undefined) return undefined;
  const given = input.tool_input ?? {};
  const more = {
    Edit: () => ({ replace_all: given.allow_multiple === true }),
    MultiEdit: () => ({ edits: [{ old_string: given.old_string, new_string: given.new_string }] }),
    LS: () => ({ path: given.dir_path }),
    Glob: () => ({ path: given.dir_path }),
    Grep: () => ({ path: given.dir_path, glob: given.include_pattern }),
    Read: () => (given.start_line ? { offset: given.start_line, limit: given.end_line && given.end_line - given.start_line + 1 } : {}),
    Agent: () => ({ subagent_type: given.agent_name, description: String(given.prompt ?? "").slice(0, 60) }),
    Task: () => ({ subagent_type: given.agent_name, description: String(given.prompt ?? "").slice(0, 60) }),
    WebFetch: () => ({ url: /https?:\/\/\S+/.exec(given.prompt ?? "")?.[0] }),
    Skill: () => ({ skill: given.name }),
  }[tool];
  told.tool_name = tool;
  told.tool_input = { ...given, ...more?.() };
  if (event === "PostToolUse") {
    const text = [input.tool_response?.llmContent ?? input.tool_response].flat().map((part) => part?.text ?? part);
    const output = text.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join("\n");
    told.tool_response = tool === "Bash" ? { stdout: output, stderr: "", interrupted: false, isImage: false } : { content: output, filePath: given.file_path, success: !input.tool_response?.error };
  }
  return told;
}

/** What Claude Code may call a tool. */
function names(tool) {
  const { server_name: server, tool_name: own } = input.mcp_context ?? {};
  if (!server) return TOOLS[tool] ?? [tool];
  const claude = spec.servers?.[server];
  return [...(claude ? [`mcp__${claude}__${own}`] : []), `mcp__${server}__${own}`];
}

/** Runs the command and reads what it decides. */
function run(told) {
  const done = runCommand(told);
  const end = ended(done);
  if (end) return end;
  const text = done.stdout.trim();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {}
  if (answer === null || typeof answer !== "object") return { context: TAKES_TEXT.includes(event) ? text : "" };
  const own = answer.hookSpecificOutput ?? {};
  const reason = own.permissionDecisionReason ?? answer.reason ?? answer.stopReason ?? "A hook refused this and gave no reason.";
  const result = { context: own.additionalContext ?? answer.additionalContext ?? "", message: answer.systemMessage };
  if (answer.continue === false) return { ...result, stop: answer.stopReason ?? reason };
  const decision = own.permissionDecision ?? answer.decision;
  if (decision === "deny" || decision === "block") return { ...result, block: reason };
  // It can't have the user asked.
  if (decision === "ask" || decision === "defer") return { ...result, block: `${reason} (The hook wants the user to be asked first: tell the user what you want to do and why, and leave it to them.)` };
  return { ...result, input: own.updatedInput };
}

/** Writes the answer as the Gemini CLI reads it. */
function write({ block, failed, stop, context, message, input: changed }) {
  if (failed) {
    process.stderr.write(`${failed}\n`);
    process.exitCode = 1;
    return;
  }
  const out = {};
  if (message) out.systemMessage = message;
  if (stop !== undefined) Object.assign(out, { continue: false, stopReason: String(stop), reason: String(stop) });
  if (block !== undefined) Object.assign(out, { decision: "deny", reason: String(block) });
  const own = {};
  if (context && [...TAKES_TEXT, "PostToolUse"].includes(event)) own.additionalContext = context;
  if (changed && event === "PreToolUse" && block === undefined) own.tool_input = changed;
  if (Object.keys(own).length > 0) out.hookSpecificOutput = { hookEventName: input.hook_event_name, ...own };
  if (Object.keys(out).length > 0) process.stdout.write(`${JSON.stringify(out)}\n`);
}
