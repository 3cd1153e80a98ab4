//! The codes of warnings and failures: stable, for tools.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a code says of the component it is found at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Worth knowing; nothing is lost.
    Note,
    /// Something of the component is not carried over.
    Loss,
    /// The plugin can't be used.
    Failure,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $weight:ident;)*) => {
        /// The kind of a finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As it stands in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            fn weight(self) -> Weight {
                match self { $(Self::$variant => Weight::$weight,)* }
            }
        }
    };
}

codes! {
    /// Frontmatter was not YAML that Codex takes; it was mended.
    FrontmatterRepaired = "frontmatter-repaired", Note;
    /// A description was made from the text.
    DescriptionSynthesized = "description-synthesized", Note;
    /// A description was cut to what Codex shows.
    DescriptionTruncated = "description-truncated", Loss;

    // Texts
    /// An `@path` that can only be meant as a file of the plugin leads to none.
    IncludeUnresolved = "include-unresolved", Failure;
    /// A word that only Claude Code understands is left in a text, and nothing was said of it.
    ClaudeTokenAlive = "claude-token-alive", Failure;
    /// A link or path leads to no file of the plugin.
    DanglingLink = "dangling-link", Note;
    /// A path in an agent's instructions is named in words, since its reader isn't told where it is.
    PathNotAbsolute = "path-not-absolute", Loss;
    /// The plugin's data folder may lie outside of what a thread can write to.
    DataDirNotWritable = "data-dir-not-writable", Loss;
    /// A variable has no value outside of Claude Code.
    VariableUnresolved = "variable-unresolved", Loss;
    /// The text says in words where Claude Code puts the arguments.
    ArgumentsDescribed = "arguments-described", Note;
    /// `$1` without `$0`: it is open whether it counts from 0 or from 1.
    PositionalBaseAmbiguous = "positional-base-ambiguous", Loss;
    /// The model is told to run what Claude Code runs before it.
    DynamicContextDeferred = "dynamic-context-deferred", Loss;
    /// A call of a skill or a tool that isn't known.
    UnresolvedReference = "unresolved-reference", Loss;
    /// A text spawns an agent that isn't known.
    AgentUnknown = "agent-unknown", Loss;
    /// A tool is named in words.
    ToolReworded = "tool-reworded", Note;
    /// A text names a tool that the platform has no counterpart of.
    ToolUnavailable = "tool-unavailable", Loss;
    /// A text speaks of Claude Code itself, and is left as it is.
    ClaudeSpecificText = "claude-specific-text", Note;
}

impl Code {
    /// Whether a component with such a finding is less than it was.
    #[must_use]
    pub fn loses(self) -> bool {
        self.weight() != Weight::Note
    }

    /// Whether a plugin with such a finding can't be used.
    #[must_use]
    pub fn fails(self) -> bool {
        self.weight() == Weight::Failure
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
