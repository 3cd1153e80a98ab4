// npm @openai/codex-sdk, unchanged: `codex exec --experimental-json`, and `exec resume` for the second turn.
//
//   node codex-sdk.mjs CODEX FOLDER PROFILE      (CODEX `-`: the package that it finds beside itself)
import { Codex } from "@openai/codex-sdk";

const [codexPath, workingDirectory, profile] = process.argv.slice(2);
const codexPathOverride = codexPath === "-" ? undefined : codexPath;
const codex = new Codex({ codexPathOverride, config: { capability_selection: { profile } } });
const options = { workingDirectory, skipGitRepoCheck: true };
const thread = codex.startThread(options);
await thread.run("What can you do?");
await codex.resumeThread(thread.id, options).run("And now?");
console.log(thread.id);
