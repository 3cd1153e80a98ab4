// npm ai-sdk-provider-codex-cli, unchanged. Its options are closed: a profile travels in the thread's config.
//
//   node ai-sdk.mjs CODEX FOLDER SERVER LOG
import { createCodexAppServer } from "ai-sdk-provider-codex-cli";

const [codexPath, cwd, server, log] = process.argv.slice(2);
const own = { transport: "stdio", command: "node", args: [server, log, "own", "own_tool"] };
const provider = createCodexAppServer({
  defaultSettings: {
    codexPath,
    cwd,
    threadMode: "persistent",
    configOverrides: { "capability_selection.profile": "review" },
    mcpServers: { own },
  },
});
const say = (text, threadId) =>
  provider("lab").doGenerate({
    prompt: [{ role: "user", content: [{ type: "text", text }] }],
    providerOptions: { "codex-app-server": threadId ? { threadId } : {} },
  });
const first = await say("What can you do?");
const { threadId } = first.providerMetadata["codex-app-server"];
await say("And now?", threadId);
console.log(threadId);
process.exit(0);
