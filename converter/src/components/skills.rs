//! Skills: frontmatter made strict, the body converted, the policy file beside it.

use codex_loadout_bundle::TreeFile;

use super::header::{Files, Prepared, prepare};
use super::{Converted, description};
use crate::context::Context;
use crate::naming::NamedSkill;
use crate::paths::{folder_of, in_folder};
use crate::report::{Account, Code, Finding, Kind, Location, Outcome};
use crate::text::{self, Arguments, Role, Text};

/// Converts a skill.
pub(crate) fn convert(skill: &NamedSkill<'_>, context: &Context<'_>) -> Converted {
    let document = &skill.document;
    let fallback = description::first_paragraph(document.body)
        .unwrap_or_else(|| format!("The skill `{}` of `{}`.", skill.name, context.plugin.name));
    let files = Files {
        source: &skill.file,
        bundle: &skill.bundle_file,
    };
    let mut prepared = prepare(document, files, fallback, context);
    prepared.findings.extend(skill.findings.iter().cloned());
    let names = std::mem::take(&mut prepared.arguments);
    let arguments = Arguments {
        declared: prepared.takes_arguments,
        names: &names,
    };
    let role = Role::Skill {
        folder: skill.folder,
        arguments,
    };
    let account = Account {
        kind: Kind::Skill,
        name: skill.claude_name.clone(),
        source: Location::new(&skill.file, 1),
        outcome: Outcome::Converted,
        target: Some(context.target.skill_name(&context.plugin.name, &skill.name)),
        path: Some(skill.bundle_file.clone()),
        reason: None,
        warnings: Vec::new(),
    };
    let whole = Whole {
        name: &skill.name,
        body: document.body,
        body_line: document.body_line,
        files,
        role,
        policy_from: skill.folder,
    };
    whole.convert(prepared, account, context)
}

/// A skill or a command, its header prepared: both become a skill.
pub(super) struct Whole<'a> {
    /// Its name in the bundle.
    pub(super) name: &'a str,
    pub(super) body: &'a str,
    pub(super) body_line: usize,
    pub(super) files: Files<'a>,
    pub(super) role: Role<'a>,
    /// Source folder whose policy file counts.
    pub(super) policy_from: &'a str,
}

impl Whole<'_> {
    /// Converts the body and writes the files.
    pub(super) fn convert(
        self,
        prepared: Prepared,
        mut account: Account,
        context: &Context<'_>,
    ) -> Converted {
        let Prepared {
            description,
            instructions,
            mut preface,
            mention_only,
            fork,
            metadata,
            mut findings,
            mut reads,
            ..
        } = prepared;
        let part = |body, first_line| Text {
            body,
            file: self.files.source,
            first_line,
            bundle_file: self.files.bundle,
            role: self.role,
        };
        let body = part(self.body, self.body_line);
        let converted = match &instructions {
            None => text::convert(body, context),
            Some((instructions, line)) => {
                let above = part(instructions, *line);
                // An agent that does the task sees the body alone.
                let (above, converted) = if fork.is_some() {
                    (text::convert(above, context), text::convert(body, context))
                } else {
                    text::convert_both([above, body], context)
                };
                findings.extend(above.findings);
                reads.extend(above.reads);
                preface.insert(0, above.body.trim().to_owned());
                converted
            }
        };
        let describes = |finding: &Finding| finding.code == Code::ArgumentsDescribed;
        let has_arguments = converted.findings.iter().any(describes);
        findings.extend(converted.findings);
        reads.extend(converted.reads);
        let commands = context.target.commands();
        let commands = commands.filter(|commands| commands.is_file(self.files.bundle));
        let mut text = match commands {
            Some(_) => String::new(),
            None => context
                .target
                .skill_header(self.name, &description, &metadata),
        };
        for paragraph in preface {
            text.push_str(&format!("\n{paragraph}\n"));
        }
        match fork {
            Some(agent) => text.push_str(&forked(&agent, &converted.body, has_arguments)),
            None if converted.body.starts_with(['\n', '\r']) => text.push_str(&converted.body),
            None => {
                text.push('\n');
                text.push_str(&converted.body);
            }
        }
        if let Some(commands) = commands {
            text = commands.definition(&description, text.trim_start_matches(['\n', '\r']));
        }
        let mut files = vec![(self.files.bundle.to_owned(), TreeFile::plain(text))];
        if let (true, Some(policy)) = (mention_only, context.target.policy_file()) {
            files.push(self.policy(policy, context, &mut findings));
        }
        account.warnings = findings;
        Converted {
            account,
            files,
            reads,
        }
    }

    fn policy(
        &self,
        name: &str,
        context: &Context<'_>,
        findings: &mut Vec<Finding>,
    ) -> (String, TreeFile) {
        let source = in_folder(self.policy_from, name);
        let existing = context
            .source
            .tree
            .get(&source)
            .and_then(|file| std::str::from_utf8(&file.bytes).ok());
        let content = context.target.mention_only(existing).or_else(|| {
            findings.push(Finding::new(
                Code::FrontmatterRepaired,
                Location::new(&source, 1),
                "it can't be read, so it was replaced",
            ));
            context.target.mention_only(None)
        });
        (
            in_folder(folder_of(self.files.bundle), name),
            TreeFile::plain(content.unwrap_or_default()),
        )
    }
}

/// A body that is a task for another agent.
fn forked(agent: &str, body: &str, has_arguments: bool) -> String {
    let arguments = if has_arguments {
        "Put what the user wrote after the name of this skill into the task wherever it speaks of that. "
    } else {
        ""
    };
    format!(
        "\nSpawn the {agent} with exactly the task between the two lines below, wait for it, and report its result; do not do the task yourself. \
         {arguments}It does not see this skill: give it the absolute path of each file that the task names.\n\n---\n\n{}\n\n---\n",
        // Spaces before the first line may make it code.
        body.trim_end().trim_start_matches(['\n', '\r'])
    )
}
