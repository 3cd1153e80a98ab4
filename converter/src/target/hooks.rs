//! Hooks as a platform runs them.

/// Hooks as a platform runs them.
pub trait Hooks {
    /// The event that Claude calls so; `None` if there is none.
    fn hook_event(&self, claude_name: &str) -> Option<HookEvent>;
    /// The tools that hooks see where Claude's tools of these names would be called.
    fn hook_tools(&self) -> &'static [(&'static str, HookTool)];
    /// The tool that hooks see for one of Claude's; `None` if nothing ever stands for it.
    fn hook_tool(&self, claude_tool: &str) -> Option<HookTool> {
        let tools = self.hook_tools().iter();
        tools
            .copied()
            .find_map(|(name, tool)| (name == claude_tool).then_some(tool))
    }
    /// The matcher for tools of these names, and for all tools of MCP servers if `any_mcp` says so.
    fn hook_matcher(&self, names: &[String], any_mcp: bool) -> String;
    /// The program that runs a hook of Claude's as one of the platform's.
    fn adapter(&self) -> Adapter;
    /// Whether the platform calls tools of MCP servers as hooks.
    fn has_tool_hooks(&self) -> bool;
    /// Whether the adapter gives scripts the transcript in Claude's form.
    fn gives_transcript(&self) -> bool;
    /// Whether hooks wait until the user trusts them one by one.
    fn trusts_each_hook(&self) -> bool;
    /// A time limit as the platform counts it, from seconds.
    fn hook_timeout(&self, seconds: u64) -> u64;
    /// What stands in a hook's command for the bundle's folder.
    fn hook_folder(&self) -> &'static str;
    /// Whether the platform sets `CLAUDE_PLUGIN_ROOT` and `CLAUDE_PLUGIN_DATA` for a hook of an installed bundle.
    fn sets_plugin_variables(&self) -> bool;
    /// The folder for a plugin's data, as an expression between double quotes.
    fn data_folder(&self, plugin: &str, marketplace: Option<&str>) -> String;
}

/// The program that runs a hook of Claude's as one of the platform's.
#[derive(Debug, Clone, Copy)]
pub struct Adapter {
    /// Its file's name, without the ending.
    pub name: &'static str,
    /// The program.
    pub program: &'static str,
    /// Whether each hook needs it.
    pub for_all: bool,
}

/// An event of hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookEvent {
    /// What the platform calls it.
    pub name: &'static str,
    /// What its matcher is compared with.
    pub subject: HookSubject,
    /// Whether a hook can keep it from happening.
    pub can_block: bool,
    /// Longest time a handler gets, in seconds.
    pub longest: Option<u64>,
}

/// What the matcher of an event is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookSubject {
    /// The name of a tool.
    Tool,
    /// The name of an agent.
    Agent,
    /// A word of the event's own, such as what began the session.
    Word,
    /// The same where the adapter reads the matcher: the platform knows no pattern there.
    WordForAdapter,
    /// Nothing: a matcher means nothing.
    Nothing,
}

/// A tool as hooks see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookTool {
    /// Its name.
    pub name: &'static str,
    /// Whether its input has the form that Claude's tool has, or is brought into it without a loss.
    pub same_input: bool,
    /// Another tool through which the same can be done, to be watched as well.
    pub also: Option<&'static str>,
}
