//! An MCP server with one tool: what the checks give a thread to see.

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

/// The verb under which this program is that server.
pub const VERB: &str = "loadout-probe";
/// Its tool.
pub(super) const TOOL: &str = "look";

/// Serves on these pipes until the first is closed: JSON-RPC, a message a line.
///
/// # Errors
/// What the system says when nobody reads or writes any longer.
pub fn serve(input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    for line in input.lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let Some(id) = request.get("id") else {
            continue;
        };
        let result = answer(&request["method"], &request["params"]);
        writeln!(
            output,
            "{}",
            json!({ "jsonrpc": "2.0", "id": id, "result": result })
        )?;
        output.flush()?;
    }
    Ok(())
}

fn answer(method: &Value, params: &Value) -> Value {
    match method.as_str().unwrap_or_default() {
        "initialize" => {
            json!({ "protocolVersion": params["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": VERB, "version": env!("CARGO_PKG_VERSION") } })
        }
        "tools/list" => json!({ "tools": [{ "name": TOOL, "description": "Looks around.",
            "inputSchema": { "type": "object", "properties": {} } }] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": "There is nothing." }] }),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_and_notifications_are_not() {
        let said = "{\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"x\"}}\n\
            {\"method\":\"notifications/initialized\"}\n{\"id\":\"2\",\"method\":\"tools/list\"}\n";
        let mut output = Vec::new();
        serve(said.as_bytes(), &mut output).unwrap();
        let answers: Vec<Value> = String::from_utf8(output)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0]["result"]["protocolVersion"], "x");
        assert_eq!(answers[1]["result"]["tools"][0]["name"], TOOL);
        assert!(serve(&b"garbage\n"[..], &mut Vec::new()).is_err());
    }
}
