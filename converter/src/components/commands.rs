//! Commands stay commands where the target has some, else become skills, under the names that Claude's users know.
//!
//! Claude lets the model run a command unless `disable-model-invocation` says otherwise; so it is here. A command
//! that a skill of its name hides is not run by Claude at all: here users can call it, and the model does not choose it.

use super::header::{Files, prepare};
use super::skills::Whole;
use super::{Converted, description};
use crate::context::Context;
use crate::naming::NamedCommand;
use crate::paths::folder_of;
use crate::report::{Account, Kind, Location, Outcome};
use crate::text::{Arguments, Role};

/// Converts a command.
pub(crate) fn convert(command: &NamedCommand<'_>, context: &Context<'_>) -> Converted {
    let document = &command.document;
    let fallback = description::first_line(document.body)
        .map(|line| line.replace("$ARGUMENTS", "…"))
        .unwrap_or_else(|| {
            format!(
                "The command `{}` of `{}`.",
                command.name, context.plugin.name
            )
        });
    let files = Files {
        source: command.file,
        bundle: &command.bundle_file,
    };
    let mut prepared = prepare(document, files, fallback, context);
    prepared.findings.extend(command.findings.iter().cloned());
    prepared.mention_only |= command.shadowed;
    let names = std::mem::take(&mut prepared.arguments);
    let arguments = Arguments {
        declared: prepared.takes_arguments,
        names: &names,
    };
    let account = Account {
        kind: Kind::Command,
        name: command.source.name.clone(),
        source: Location::new(command.file, 1),
        outcome: Outcome::Converted,
        target: Some(
            context
                .target
                .skill_name(&context.plugin.name, &command.name),
        ),
        path: Some(command.bundle_file.clone()),
        reason: None,
        warnings: Vec::new(),
    };
    let whole = Whole {
        name: &command.name,
        body: document.body,
        body_line: document.body_line,
        files,
        role: Role::Command { arguments },
        policy_from: folder_of(&command.bundle_file),
    };
    whole.convert(prepared, account, context)
}
