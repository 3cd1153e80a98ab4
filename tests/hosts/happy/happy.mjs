// npm happy, unchanged: its own client of Codex, as `happy codex` uses it. The command itself needs an account and a
// server of theirs; the client needs neither. It starts `codex` by name, after it has read `codex --version`.
//
//   PATH=SHIM:… node happy.mjs FOLDER SERVER LOG
import { readdirSync } from "node:fs";

const [cwd, server, log] = process.argv.slice(2);
const dist = new URL("node_modules/happy/dist/", import.meta.url);
const files = readdirSync(dist).filter((file) => /^types-.*\.mjs$/.test(file));
const modules = await Promise.all(files.map((file) => import(new URL(file, dist))));
const parts = modules.flatMap((module) => Object.values(module));
const Client = parts.find((part) => part.name === "CodexAppServerClient");
const mcpServers = { happy: { command: process.execPath, args: [server, log, "happy", "change_title"] } };
const policy = { approvalPolicy: "never", sandbox: "read-only" };

const first = new Client();
await first.connect();
const { threadId } = await first.startThread({ cwd, mcpServers, ...policy });
await first.sendTurnAndWait("What can you do?", policy);
const fork = await first.forkThread({ threadId, cwd, mcpServers, ...policy });
await first.sendTurnAndWait("And now?", policy);
await first.disconnect();

const second = new Client();
await second.connect();
await second.resumeThread({ threadId, cwd, mcpServers, ...policy });
await second.sendTurnAndWait("And then?", policy);
await second.disconnect();
console.log(threadId);
console.log(fork.threadId);
process.exit(0);
