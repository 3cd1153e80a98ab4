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
    /// Frontmatter was not YAML that the target takes; it was mended.
    FrontmatterRepaired = "frontmatter-repaired", Note;
    /// A description was made from the text.
    DescriptionSynthesized = "description-synthesized", Note;
    /// A description was cut to what the target shows.
    DescriptionTruncated = "description-truncated", Loss;

    // Components
    /// The author's own manifest for the target was used.
    AuthorManifestUsed = "author-manifest-used", Note;
    /// A key stands twice in a JSON file: the last one counts.
    DuplicateKey = "duplicate-key", Loss;
    /// A value of a manifest is of a type that means nothing.
    ManifestValueIgnored = "manifest-value-ignored", Loss;
    /// A manifest says something that can't be written for the target as it is.
    ManifestValueChanged = "manifest-value-changed", Note;
    /// A path of a manifest leads out of the plugin.
    PathOutsidePlugin = "path-outside-plugin", Loss;
    /// A path of a manifest leads to nothing.
    PathMissing = "path-missing", Loss;
    /// A `SKILL.md` inside another skill, which Claude does not load.
    NestedSkillDropped = "nested-skill-dropped", Loss;
    /// A file that would be a skill but for the case of its name.
    SkillFileMisspelled = "skill-file-misspelled", Loss;
    /// Files called `SKILL.md` that are no skills of the plugin got another name.
    SkillFileSetAside = "skill-file-set-aside", Note;
    /// Texts among the commands that are none of the plugin's lie in another folder.
    CommandFileSetAside = "command-file-set-aside", Note;
    /// Two skills of one name.
    DuplicateSkillName = "duplicate-skill-name", Loss;
    /// Two agents of one name.
    DuplicateAgentName = "duplicate-agent-name", Loss;
    /// Two commands of one name.
    DuplicateCommandName = "duplicate-command-name", Loss;
    /// A skill was moved to the folder of its name.
    SkillMoved = "skill-moved", Note;
    /// A script, hook or server names a file that lies elsewhere in the bundle.
    MovedFileNamed = "moved-file-named", Loss;
    /// A skill was given another name by the alias file.
    SkillRenamed = "skill-renamed", Note;
    /// The alias file names a skill that is not there.
    AliasUnused = "alias-unused", Note;
    /// A skill of the same name wins over a command.
    CommandShadowed = "command-shadowed", Loss;
    /// A skill that users could not call can be called.
    UserInvocableIgnored = "user-invocable-ignored", Loss;
    /// Tools are not approved beforehand.
    AllowedToolsDropped = "allowed-tools-dropped", Note;
    /// Tools are forbidden in words only.
    RestrictionNotEnforced = "restriction-not-enforced", Loss;
    /// A model or an effort was left out.
    ModelDropped = "model-dropped", Loss;
    /// A skill that ran in an agent of its own asks for one in words.
    ForkEmulated = "fork-emulated", Loss;
    /// Hooks of a skill were left out.
    SkillHooksDropped = "skill-hooks-dropped", Loss;
    /// Paths that would call a skill are named in its description.
    PathsDescribed = "paths-described", Loss;
    /// A key of frontmatter was left out.
    FieldDropped = "frontmatter-field-dropped", Loss;
    /// An agent's tools are not enforced.
    ToolsNotEnforced = "tools-not-enforced", Loss;
    /// A key of an agent was left out.
    AgentFieldDropped = "agent-field-dropped", Loss;
    /// A dependency is not among the neighbours.
    DependencyMissing = "dependency-missing", Loss;
    /// A text is too large to be converted and was left as it is.
    TextTooLarge = "text-too-large", Loss;
    /// A text is not UTF-8 and was left as it is.
    TextNotUtf8 = "text-not-utf8", Loss;
    /// Not supported: a program on the path.
    UnsupportedBin = "component-unsupported:bin", Loss;
    /// Not supported: a channel.
    UnsupportedChannel = "component-unsupported:channel", Loss;
    /// Not supported: an eval.
    UnsupportedEval = "component-unsupported:eval", Loss;
    /// Not supported: a language server.
    UnsupportedLspServer = "component-unsupported:lspServer", Loss;
    /// Not supported: a packed MCP server.
    UnsupportedMcpb = "component-unsupported:mcpb", Loss;
    /// Not supported: a monitor.
    UnsupportedMonitor = "component-unsupported:monitor", Loss;
    /// Not supported: an output style.
    UnsupportedOutputStyle = "component-unsupported:outputStyle", Loss;
    /// Not supported: settings.
    UnsupportedSettings = "component-unsupported:settings", Loss;
    /// Not supported: a theme.
    UnsupportedTheme = "component-unsupported:theme", Loss;
    /// Not supported: a value the user is asked for.
    UnsupportedUserConfig = "component-unsupported:userConfig", Loss;
    /// Not supported: a workflow.
    UnsupportedWorkflow = "component-unsupported:workflow", Loss;
    /// A component's text is too large to be converted.
    ComponentTooLarge = "component-too-large", Failure;
    /// A component's file is not UTF-8.
    NotUtf8 = "not-utf8", Failure;
    /// Two names differ only by case, or only by characters that no folder can have.
    NameCollision = "name-collision", Failure;
    /// A file that is moved would lie where another one is.
    PathCollision = "path-collision", Failure;
    /// The target would not load a skill.
    SkillRejected = "skill-rejected", Failure;
    /// A folder is not named as its skill.
    FolderNameDiffers = "folder-name-differs", Failure;
    /// A link that led somewhere in the source leads nowhere in the bundle.
    LinkBroken = "link-broken", Failure;
    /// A name that another plugin's part has, too, where all plugins' parts have one set of names.
    NameShared = "name-shared", Loss;
    // Texts
    /// What the target would replace in a text was set apart from it.
    ExpansionSetApart = "expansion-set-apart", Note;
    /// An `@path` that can only be meant as a file of the plugin leads to none.
    IncludeUnresolved = "include-unresolved", Failure;
    /// An `@name.md` that the plugin has no file for is taken for one of the user's project.
    IncludeOfProject = "include-of-project", Note;
    /// A word that only Claude Code understands is left in a text, and nothing was said of it.
    ClaudeTokenAlive = "claude-token-alive", Failure;
    /// A link or path leads to no file of the plugin.
    DanglingLink = "dangling-link", Loss;
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
    /// What looks like an argument is left in a text that doesn't say that it takes any.
    ArgumentUnsure = "argument-unsure", Note;
    /// The model is told to run what Claude Code runs before it.
    DynamicContextDeferred = "dynamic-context-deferred", Loss;
    /// A call of a skill or a tool that isn't known.
    UnresolvedReference = "unresolved-reference", Loss;
    /// A text spawns an agent that isn't known.
    AgentUnknown = "agent-unknown", Loss;
    /// A tool keeps its name, and the text says at its top what it means.
    ToolExplained = "tool-explained", Note;
    /// A text names a tool that the platform has no counterpart of.
    ToolUnavailable = "tool-unavailable", Loss;
    /// A text speaks of Claude Code itself, and is left as it is.
    ClaudeSpecificText = "claude-specific-text", Note;
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
    /// The server names a file of the plugin as if it started in the plugin's folder, and it starts in the project's.
    McpFileNotFound = "mcp-file-not-found", Loss;
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
