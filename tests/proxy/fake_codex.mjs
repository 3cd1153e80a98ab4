// A false Codex for faults that the real one does not produce on demand: node fake_codex.mjs FAULT.
// It answers what the proxy asks and has nothing installed; FAULT says what it does at thread/start.
import { createInterface } from "node:readline";

const fault = process.env.FAULT;
const say = (message) => process.stdout.write(typeof message === "string" ? message : `${JSON.stringify(message)}\n`);
const answers = {
  initialize: { userAgent: "lab/0.169.0 (Linux)", codexHome: process.env.CODEX_HOME },
  "skills/list": { data: [{ cwd: "/", skills: [], errors: [] }] },
  "plugin/installed": { marketplaces: [] },
  "plugin/list": { marketplaces: [] },
  "hooks/list": { data: [] },
  "config/read": { config: fault === "quiet" ? { mcp_servers: { quiet: { command: "quiet" } } } : {} },
  "thread/loaded/list": { data: [] },
};
const stranger = (threadId) =>
  say({ method: "mcpServer/startupStatus/updated", params: { threadId, name: "stranger", status: "starting" } });
let closing = fault === "closing";

for await (const line of createInterface({ input: process.stdin })) {
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    continue;
  }
  const { id, method, params } = message;
  if (id === undefined || method === undefined) continue;
  if (fault === "hang" && method === "skills/list") continue;
  if (fault === "shape" && method === "skills/list") {
    say({ id, result: { data: "no list" } });
  } else if (method === "thread/start" && fault === "crash") {
    process.exit(7);
  } else if (method === "thread/start" && fault === "refuse") {
    say({ id, error: { code: -32600, message: "not today" } });
  } else if (method === "thread/start") {
    const thread = `01f00000-0000-7000-8000-${String(id).padStart(12, "0")}`;
    if (fault === "garbage") {
      say("no json\n\u0000\u0001\n{\"half\":\n[]\n\n");
      say({ method: "thread/started", params: { thread: { id: thread } } });
    }
    say({ id, result: { thread: { id: thread } } });
    if (fault === "quiet") {
      say({ method: "turn/completed", params: { threadId: thread } });
    }
    if (fault === "stranger") {
      stranger(thread);
    }
    if (fault === "flood") {
      const filler = "x".repeat(1000);
      for (let index = 0; index < 50_000; index += 1) {
        say({ method: "item/agentMessage/delta", params: { threadId: thread, index, filler } });
      }
      say({ method: "flood/over", params: {} });
    }
  } else if (method === "thread/unsubscribe" && fault === "stranger") {
    say({ id, result: {} });
    say({ method: "thread/closed", params });
  } else if (method === "thread/resume" && closing) {
    say({ id, error: { code: -32600, message: `thread ${params.threadId} is closing; retry thread/resume after the thread is closed` } });
    say({ method: "thread/closed", params: { threadId: params.threadId } });
    closing = false;
  } else if (method === "thread/resume" && fault === "crash in resume") {
    setTimeout(() => process.exit(7), 300);
  } else if (method === "thread/resume") {
    say({ id, result: { thread: { id: params.threadId } } });
  } else if (method === "turn/start" && fault === "closing") {
    say({ id, result: {} });
    stranger(params.threadId);
  } else {
    say({ id, result: answers[method] ?? { echo: params ?? null } });
  }
}
