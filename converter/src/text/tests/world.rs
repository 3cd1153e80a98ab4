//! A small plugin to convert texts in.

use std::collections::BTreeMap;

use codex_loadout_bundle::TreeFile;

use crate::context::Context;
use crate::names::{Names, PluginNames};
use crate::options::{BundleRoot, Options};
use crate::source::{Plugin, SkillSource, Source};
use crate::target::Codex;
use crate::text::{Arguments, ConvertedText, Role, Text, convert};

/// Everything a text is converted in.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) source: Source,
    pub(super) plugin: Plugin,
    pub(super) options: Options,
    pub(super) names: Names,
    pub(super) moved: BTreeMap<String, String>,
}

impl World {
    /// The plugin `forge` and its neighbour `other`.
    pub(super) fn small() -> Self {
        let files = [
            "commands/idea.md",
            "commands/git/push.md",
            "agents/reviewer.md",
            "docs/guide.md",
            "scripts/run.sh",
            "skills/shared/rules.md",
            "skills/prd/SKILL.md",
            "skills/prd/reference.md",
            "skills/prd/references/deep.md",
            "skills/prd/two words.md",
        ];
        let plugin = |skills: &[(&str, &str)], agents: &[&str], servers: &[(&str, &str)]| {
            let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
            PluginNames {
                skills: skills.iter().map(owned).collect(),
                agents: agents.iter().map(|name| (*name).to_owned()).collect(),
                servers: servers.iter().map(owned).collect(),
            }
        };
        let forge = plugin(
            &[
                ("idea", "idea"),
                ("prd", "prd"),
                ("old", "new-name"),
                ("git:push", "git:push"),
                ("status", "status"),
                ("clear", "clear"),
                ("部署", "部署"),
            ],
            &["reviewer", "forge-tester"],
            &[("db", "db"), ("wiki", "forge-wiki")],
        );
        let other = plugin(&[("plan", "plan")], &["auditor"], &[]);
        Self {
            source: Source {
                tree: files
                    .into_iter()
                    .map(|path| (path.to_owned(), TreeFile::plain("text")))
                    .collect(),
                folder: "forge".to_owned(),
                ..Source::default()
            },
            plugin: Plugin {
                name: "forge".to_owned(),
                skills: vec![SkillSource {
                    folder: "skills/prd".to_owned(),
                }],
                ..Plugin::default()
            },
            options: Options::default(),
            names: Names {
                plugins: BTreeMap::from([("forge".to_owned(), forge), ("other".to_owned(), other)]),
            },
            moved: BTreeMap::from([(
                "commands/idea.md".to_owned(),
                "skills/idea/SKILL.md".to_owned(),
            )]),
        }
    }

    /// The same, lying at an absolute path.
    pub(super) fn at(mut self, root: &str) -> Self {
        self.options.root = BundleRoot::At(root.to_owned());
        self
    }

    /// What the parts look at.
    pub(super) fn context(&self) -> Context<'_> {
        Context {
            source: &self.source,
            plugin: &self.plugin,
            options: &self.options,
            target: &Codex,
            names: &self.names,
            moved: &self.moved,
        }
    }

    /// Converts a text.
    pub(super) fn convert(&self, text: Text<'_>) -> ConvertedText {
        convert(text, &self.context())
    }

    /// Converts the body of the skill `prd`.
    pub(super) fn skill(&self, body: &str) -> ConvertedText {
        let arguments = ["issue".to_owned(), "branch".to_owned()];
        self.convert(Text {
            body,
            file: "skills/prd/SKILL.md",
            first_line: 1,
            bundle_file: "skills/prd/SKILL.md",
            role: Role::Skill {
                folder: "skills/prd",
                arguments: Arguments {
                    declared: true,
                    names: &arguments,
                },
            },
        })
    }

    /// Converts the body of the command `idea`, which becomes a skill.
    pub(super) fn command(&self, body: &str) -> ConvertedText {
        self.convert(Text {
            body,
            file: "commands/idea.md",
            first_line: 1,
            bundle_file: "skills/idea/SKILL.md",
            role: Role::Command {
                arguments: Arguments::default(),
            },
        })
    }

    /// Converts an agent's instructions.
    pub(super) fn agent(&self, body: &str) -> ConvertedText {
        self.convert(Text {
            body,
            file: "agents/reviewer.md",
            first_line: 1,
            bundle_file: "agents/reviewer.md",
            role: Role::Agent,
        })
    }

    /// Converts a file that skills share.
    pub(super) fn support(&self, body: &str) -> ConvertedText {
        self.convert(Text {
            body,
            file: "skills/shared/rules.md",
            first_line: 1,
            bundle_file: "skills/shared/rules.md",
            role: Role::Support,
        })
    }
}
