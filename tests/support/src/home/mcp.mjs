// A stdio MCP server without dependencies: node mcp.mjs LOG NAME TOOL...
// It appends "<pid> <name>" to LOG when it starts: Codex filters the environment of its servers,
// so a path in a variable would not arrive. Its tools answer with what they were given.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [log, name, ...tools] = process.argv.slice(2);
appendFileSync(log, `${process.pid} ${name}\n`);

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name, version: "1.0.0" },
  }),
  "tools/list": () => ({
    tools: tools.map((tool) => ({
      name: tool,
      description: `${tool} of ${name}`,
      inputSchema: { type: "object", properties: {} },
      // Codex asks for approval of all others, and refuses them under approval_policy = "never".
      annotations: { readOnlyHint: true },
    })),
  }),
  "tools/call": ({ name: tool, arguments: given }) => ({
    content: [{ type: "text", text: `${name} did ${tool} with ${JSON.stringify(given ?? {})}` }],
  }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const result = answers[method]?.(params ?? {}) ?? {};
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`);
}
