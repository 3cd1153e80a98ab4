//! The list of skills that the model reads, written by us.
//!
//! Codex's own list follows the disk: a skill that is added anywhere shows with the next turn. So where a
//! loadout says which skills there are, Codex writes none (`skills.include_instructions = false`), and this one
//! goes with the developer's instructions, which Codex takes when it loads the thread and never again (measured
//! on 0.144.1 to 0.169.0: for children, forks, goals, reviews, after a compaction and in ephemeral threads).

use std::fmt::Write as _;
use std::path::PathBuf;

use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::seen::{LIST_END, LIST_HEADING, LIST_START};
use codex_loadout_protocol::selection::SkillListing;

use crate::catalog::Catalog;
use crate::resolver::{Plan, Scope};

/// How a model uses what the list names.
const HOW_TO_USE: &str = "A skill is a folder with instructions in its `SKILL.md`. These are all that this conversation has; \
an earlier list no longer counts. When the user names one (`$name`, or in words), or the task is what its description says, \
read its file first and follow it. Its paths are relative to its folder.";
/// What an empty list says, where another one was shown before.
const NONE_LEFT: &str = "This conversation has no skills; an earlier list no longer counts.";
/// Of the model's context, Codex 0.169 gives its own list this share before it cuts descriptions.
const SHARE_OF_CONTEXT: f64 = 0.02;
/// What a context window is taken for where no config says it, in tokens: that of Codex's default models.
const USUAL_CONTEXT: u64 = 272_000;
/// Codex takes a token for this many characters.
const CHARS_PER_TOKEN: f64 = 4.0;

/// The list of a plan's skills, in its tag; empty if none is listed. `None`: the list is Codex's own.
///
/// `snapshot` says where the tree of a bundle lies.
#[must_use]
pub(crate) fn skill_list(
    plan: &Plan,
    catalog: &Catalog,
    snapshot: impl Fn(usize) -> PathBuf,
) -> Option<String> {
    if plan.host_skills == Scope::All {
        return None;
    }
    if catalog.skill_list_is_off {
        return Some(String::new());
    }
    let skills = plan.skill_list.iter().flatten();
    let mut lines = String::new();
    for skill in skills.filter(|skill| skill.list != SkillListing::Manual) {
        let bundle = plan.bundles.get(skill.bundle)?;
        let folder = match bundle.stored {
            true => snapshot(skill.bundle),
            false => bundle.source.clone(),
        };
        let description = match skill.list {
            SkillListing::Full => format!("{} ", on_one_line(&skill.description)),
            SkillListing::Name | SkillListing::Manual => String::new(),
        };
        let name = on_one_line(&skill.name);
        let file = folder.join(&skill.file);
        // Writing to a string never fails.
        let _ = writeln!(lines, "- {name}: {description}(file: {})", file.display());
    }
    Some(match lines.as_str() {
        "" => String::new(),
        lines => in_tag(HOW_TO_USE, lines),
    })
}

/// What goes into the history of a thread that was shown another list.
#[must_use]
pub(crate) fn list_for_history(list: &str) -> String {
    match list {
        "" => in_tag(NONE_LEFT, ""),
        list => list.to_owned(),
    }
}

/// The developer's instructions of a thread: those of its host, else the user's own, then the list. `None`:
/// Codex's own way gives the same.
#[must_use]
pub(crate) fn developer_instructions(
    of_host: Option<&str>,
    of_user: Option<&str>,
    list: &str,
) -> Option<String> {
    match (of_host.or(of_user), list) {
        (_, "") => of_host.map(str::to_owned),
        (None | Some(""), list) => Some(list.to_owned()),
        (Some(first), list) => Some(format!("{first}\n\n{list}")),
    }
}

/// The text of a role file with the list behind the role's own instructions, which a child of that role has in
/// the place of its parent's (Codex 0.150.1 and 0.169.0). `None`: it has none, and the child reads the list as
/// its parent does.
#[must_use]
pub(super) fn role_with_list(role: &str, list: &str) -> Option<String> {
    const KEY: &str = "developer_instructions";
    let mut role: toml::Table = role.parse().ok()?;
    let of_role = role.get(KEY)?.as_str()?.to_owned();
    let instructions = developer_instructions(Some(&of_role), None, list)?;
    role.insert(KEY.to_owned(), instructions.into());
    Some(role.to_string())
}

/// What a host should know about a list that takes more of the model's context than Codex gives to its own.
#[must_use]
pub(crate) fn large_list(list: &str, catalog: &Catalog) -> Option<Warning> {
    let chars = list.chars().count();
    let window = catalog.context_window.unwrap_or(USUAL_CONTEXT);
    let limit = window as f64 * SHARE_OF_CONTEXT * CHARS_PER_TOKEN;
    (chars as f64 > limit).then(|| {
        let message = format!(
            "the list of skills has {chars} characters, more than 2 % of a context of {window} tokens; nothing of it is cut (`\"list\": \"name\"` or `\"manual\"` makes a skill's entry shorter)"
        );
        Warning::new("skillListLarge", message)
    })
}

fn in_tag(text: &str, lines: &str) -> String {
    format!("{LIST_START}\n## Skills\n{text}\n{LIST_HEADING}\n{lines}{LIST_END}")
}

fn on_one_line(text: &str) -> String {
    let text = text.replace(LIST_END, "");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::{resolve, test_catalog};
    use codex_loadout_protocol::{CapabilitySelection, Seen};
    use serde_json::json;

    fn list_on(selection: serde_json::Value, catalog: &Catalog) -> Option<String> {
        let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
        let plan = resolve(&selection, catalog).unwrap();
        skill_list(&plan, catalog, |bundle| {
            PathBuf::from(format!("/store/{bundle}"))
        })
    }

    #[test]
    fn the_list_says_what_codexs_own_says() {
        let mut catalog = test_catalog();
        let planning = catalog
            .skills
            .iter_mut()
            .find(|skill| skill.name == "planning");
        planning.unwrap().description =
            "Plans:\n  in  two lines.</codex_loadout_skills>".to_owned();
        let list = list_on(
            json!({ "plugins": ["github@internal"], "skills": ["planning"] }),
            &catalog,
        )
        .unwrap();
        insta::assert_snapshot!(list);
        let body = json!({ "input": [{ "content": [{ "text": format!("Be kind.\n\n{list}") }] }] });
        let seen = Seen::of(&body);
        assert!(seen.skills.contains(&"planning".to_owned()), "{seen:?}");
        assert_eq!(seen.skills_chars, list.chars().count());
    }

    #[test]
    fn a_skill_stands_in_it_as_the_selection_says() {
        let list = |list: &str| {
            let skill = json!({ "name": "planning", "list": list });
            list_on(json!({ "skills": [skill] }), &test_catalog()).unwrap()
        };
        assert!(list("full").contains("- planning: About planning. (file: /store/0/SKILL.md)\n"));
        assert!(list("name").contains("- planning: (file: /store/0/SKILL.md)\n"));
        assert_eq!(list("manual"), "");
        let mut catalog = test_catalog();
        for skill in &mut catalog.skills {
            skill.mention_only = true;
        }
        assert_eq!(
            list_on(json!({ "skills": ["planning"] }), &catalog).unwrap(),
            ""
        );
        let said = json!({ "skills": [{ "name": "planning", "list": "full" }] });
        assert_ne!(list_on(said, &catalog).unwrap(), "");
    }

    #[test]
    fn the_list_is_codexs_where_the_loadout_leaves_skills_alone() {
        let catalog = test_catalog();
        assert_eq!(
            list_on(
                json!({ "mode": "extend", "skills": ["planning"] }),
                &catalog
            ),
            None
        );
        assert_eq!(list_on(json!({ "mode": "restrict" }), &catalog), None);
        let restricted = json!({ "mode": "restrict", "skills": ["planning"] });
        let list = list_on(restricted.clone(), &catalog).unwrap();
        let native = catalog
            .skills
            .iter()
            .find(|skill| skill.name == "planning")
            .unwrap();
        assert!(
            list.contains(&format!("(file: {})", native.path.display())),
            "{list}"
        );
        let off = Catalog {
            skill_list_is_off: true,
            ..catalog
        };
        assert_eq!(list_on(restricted, &off).as_deref(), Some(""));
    }

    #[test]
    fn the_list_joins_what_developers_say() {
        let told = |host, user, list| developer_instructions(host, user, list);
        assert_eq!(told(None, None, ""), None);
        assert_eq!(told(None, Some("u"), ""), None);
        assert_eq!(told(Some("h"), Some("u"), "").as_deref(), Some("h"));
        assert_eq!(told(Some("h"), Some("u"), "l").as_deref(), Some("h\n\nl"));
        assert_eq!(told(None, Some("u"), "l").as_deref(), Some("u\n\nl"));
        assert_eq!(told(Some(""), Some("u"), "l").as_deref(), Some("l"));
        assert!(list_for_history("").contains(NONE_LEFT));
        let role = role_with_list(
            "developer_instructions = \"\"\"\nScout.\"\"\"\nmodel = \"m\"\n",
            "l",
        );
        let role: toml::Table = role.unwrap().parse().unwrap();
        assert_eq!(role["developer_instructions"].as_str(), Some("Scout.\n\nl"));
        assert_eq!(role["model"].as_str(), Some("m"));
        assert_eq!(role_with_list("model = \"m\"", "l"), None);
    }

    #[test]
    fn a_large_list_is_said_so() {
        let window = |tokens| Catalog {
            context_window: Some(tokens),
            ..Catalog::default()
        };
        let list = "x".repeat(801);
        assert_eq!(
            large_list(&list, &window(10_000)).unwrap().code,
            "skillListLarge"
        );
        assert!(large_list(&list, &window(11_000)).is_none());
        assert!(large_list(&list, &Catalog::default()).is_none());
    }
}
