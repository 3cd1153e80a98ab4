//! A thread that gets another list of skills is shown it in its history: Codex takes the developer's
//! instructions when it loads a thread, and shows them anew only after a compaction (0.144 to 0.169).

use codex_loadout_protocol::LoadoutError;
use serde_json::{Value, json};

use super::request_handlers::RequestHandlers;
use crate::lowering::list_for_history;

impl RequestHandlers {
    /// Puts a list into the history of a loaded thread, where the very next model request has it. A thread
    /// without a turn has no history: its first turn shows what it was loaded with.
    pub(super) async fn show_list(&self, thread: &str, list: &str) -> Result<(), LoadoutError> {
        let named = json!({ "threadId": thread });
        let read: Value = self.rpc.ask("thread/read", &named).await?;
        if read["thread"]["preview"].as_str() == Some("") {
            return Ok(());
        }
        let content = json!([{ "type": "input_text", "text": list_for_history(list) }]);
        let message = json!({ "type": "message", "role": "developer", "content": content });
        let items = json!({ "threadId": thread, "items": [message] });
        let _: Value = self.rpc.ask("thread/inject_items", &items).await?;
        Ok(())
    }
}
