// As VS Code's agent host starts Codex: by the package below the root of an SDK (`chat.agentHost.codexAgent.sdkRoot`),
// with settings of its own on the launch line; a session that is opened again names its MCP servers anew.
//
//   node sdk-root.mjs ROOT FOLDER SERVER LOG
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

const [root, cwd, server, log] = process.argv.slice(2);
const manifest = createRequire(join(root, "host.js")).resolve("@openai/codex/package.json");
const launcher = join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.codex);
const settings = ['shell_environment_policy.set.AI_AGENT="vscode"', "features.tool_call_mcp_elicitation=false"];
const mcp_servers = { own: { command: process.execPath, args: [server, log, "own", "own_tool"] } };

async function session(work) {
  const line = ["app-server", ...settings.flatMap((setting) => ["-c", setting])];
  const codex = spawn(process.execPath, [launcher, ...line], { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = new Map();
  let turnEnded;
  createInterface({ input: codex.stdout }).on("line", (text) => {
    const message = JSON.parse(text);
    if (message.method === "turn/completed") turnEnded();
    if (!message.method) waiting.get(message.id)(message);
  });
  const send = (message) => codex.stdin.write(`${JSON.stringify(message)}\n`);
  const ask = async (method, params) => {
    const id = waiting.size + 1;
    const answered = new Promise((resolve) => waiting.set(id, resolve));
    send({ id, method, params });
    const { result, error } = await answered;
    if (error) throw new Error(error.message);
    return result;
  };
  const turn = async (threadId, text) => {
    const ended = new Promise((resolve) => (turnEnded = resolve));
    await ask("turn/start", { threadId, input: [{ type: "text", text, text_elements: [] }] });
    await ended;
  };
  const clientInfo = { name: "vscode-agent-host", title: "VS Code", version: "1" };
  await ask("initialize", { clientInfo, capabilities: { experimentalApi: true } });
  send({ method: "initialized" });
  await work(ask, turn);
  codex.stdin.end();
  const [code] = await once(codex, "exit");
  if (code !== 0) throw new Error(`it ended with ${code}`);
}

let threadId;
await session(async (ask, turn) => {
  const started = await ask("thread/start", { cwd, runtimeWorkspaceRoots: [cwd], config: { mcp_servers } });
  threadId = started.thread.id;
  await turn(threadId, "What can you do?");
});
await session(async (ask, turn) => {
  await ask("thread/resume", { threadId, cwd, runtimeWorkspaceRoots: [cwd], config: { mcp_servers } });
  await turn(threadId, "And now?");
});
console.log(threadId);
