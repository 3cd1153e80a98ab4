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
    // Hooks and servers
    /// A hook does not run before the user has trusted it.
    HookUntrusted = "hook-untrusted", Note;
    /// The hook runs through the adapter, which needs Node.js.
    HookAdapted = "hook-adapted", Note;
    /// The adapter tests the hook's condition.
    HookConditionEmulated = "hook-condition-emulated", Note;
    /// The hook's condition can't be tested.
    HookConditionUnsupported = "hook-condition-unsupported", Loss;
    /// There is no such event.
    HookEventUnsupported = "hook-event-unsupported", Loss;
    /// There are no handlers of this type.
    HookTypeUnsupported = "hook-type-unsupported", Loss;
    /// There are no handlers that call a web address.
    HookHttpDropped = "hook-http-dropped", Loss;
    /// The handler is not of the form that its type asks for.
    HookMalformed = "hook-malformed", Loss;
    /// A field of the handler has no counterpart.
    HookFieldDropped = "hook-field-dropped", Loss;
    /// The time limit was not in whole seconds, or longer than allowed.
    HookTimeoutChanged = "hook-timeout-changed", Note;
    /// The matcher names tools that are never called.
    HookMatcherNeverFires = "hook-matcher-never-fires", Loss;
    /// The matcher is not a pattern.
    HookMatcherInvalid = "hook-matcher-invalid", Loss;
    /// The matcher was put in other words.
    HookMatcherRewritten = "hook-matcher-rewritten", Note;
    /// The hook is told less, or in another form, than it reads.
    HookInputDiffers = "hook-input-differs", Loss;
    /// A decision that the hook may give has no counterpart.
    HookDecisionUnsupported = "hook-decision-unsupported", Loss;
    /// A hook that always blocks would never let the turn end: the adapter ends that.
    HookLoopCapped = "hook-loop-capped", Note;
    /// What the hook writes to `CLAUDE_ENV_FILE` reaches nobody.
    HookEnvFileUnsupported = "hook-env-file-unsupported", Loss;
    /// There is no such way to reach a server.
    McpTransportUnsupported = "mcp-transport-unsupported", Loss;
    /// The server's definition can't be read.
    McpMalformed = "mcp-malformed", Loss;
    /// Another definition of the same name is used.
    McpOverridden = "mcp-overridden", Loss;
    /// The server runs under another name.
    McpRenamed = "mcp-renamed", Note;
    /// A field of the server has no counterpart.
    McpFieldDropped = "mcp-field-dropped", Loss;
    /// A key that means nothing was left out.
    McpKeyIgnored = "mcp-key-ignored", Note;
    /// A field was brought into the form that is read.
    McpFieldRepaired = "mcp-field-repaired", Note;
    /// A header can't be made of the environment.
    McpHeaderDropped = "mcp-header-dropped", Loss;
    /// The server starts through `sh`, which puts variables into its words.
    McpShellWrapped = "mcp-shell-wrapped", Note;
    /// The server runs in another folder than in Claude Code.
    McpCwdDiffers = "mcp-cwd-differs", Loss;
    /// A variable can't be expanded, or nobody asks the user for it.
    EnvVarUnset = "env-var-unset", Loss;
    /// The server gets the variables that are named, not the whole environment.
    EnvFiltered = "env-filtered", Note;
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
