//! Which of all that is said counts for a thread.

use std::path::{Path, PathBuf};

use codex_loadout_protocol::CapabilitySelection;
use codex_loadout_protocol::binding::{BindingScope, CapabilityBinding, Decision, Rule};

/// What bindings go by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The thread's folder.
    pub cwd: &'a Path,
    /// The host's name.
    pub host: Option<&'a str>,
    /// The key of the task.
    pub task: Option<&'a str>,
}

/// Decides: what is carried comes first, in its order, then bindings, the narrowest first.
#[must_use]
pub(crate) fn decide(
    carried: Vec<Rule>,
    bindings: &[CapabilityBinding],
    around: Surroundings<'_>,
) -> Decision {
    let mut fitting: Vec<(usize, &CapabilityBinding)> = bindings
        .iter()
        .filter_map(|binding| Some((distance(binding, around)?, binding)))
        .collect();
    fitting.sort_by_key(|(distance, binding)| (binding.scope, *distance));
    let bound = fitting.into_iter().map(|(_, binding)| Rule {
        carrier: binding.scope.into(),
        key: binding.key.clone(),
        selection: Some(CapabilitySelection::of_profiles(binding.profile.0.clone())),
    });
    let mut rules = carried.into_iter().chain(bound);
    Decision {
        rule: rules.next(),
        beaten: rules.collect(),
    }
}

/// How far a binding is from a thread; `None`: it is not about it.
fn distance(binding: &CapabilityBinding, around: Surroundings<'_>) -> Option<usize> {
    let is = |asked: Option<&str>| (asked == Some(binding.key.as_str())).then_some(0);
    match binding.scope {
        BindingScope::Task => is(around.task),
        BindingScope::Host => is(around.host),
        BindingScope::Default => Some(0),
        BindingScope::Project => {
            let folder = PathBuf::from(&binding.key);
            around.cwd.ancestors().position(|above| above == folder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codex_loadout_protocol::binding::Carrier;
    use codex_loadout_protocol::selection::ProfileNames;

    fn binding(scope: BindingScope, key: &str) -> CapabilityBinding {
        CapabilityBinding {
            scope,
            key: key.to_owned(),
            profile: ProfileNames(vec![format!("of-{key}")]),
        }
    }

    #[test]
    fn the_nearest_wins_and_says_what_it_beat() {
        let bindings = [
            binding(BindingScope::Default, ""),
            binding(BindingScope::Project, "/work"),
            binding(BindingScope::Host, "ide"),
            binding(BindingScope::Project, "/work/shop"),
            binding(BindingScope::Project, "/work/sho"),
            binding(BindingScope::Task, "42"),
        ];
        let carried = |carrier| Rule::without_key(carrier, None);
        let titles = |carried: Vec<Rule>, cwd: &str, host, task| {
            let cwd = Path::new(cwd);
            let decision = decide(carried, &bindings, Surroundings { cwd, host, task });
            let rules = decision.rule.into_iter().chain(decision.beaten);
            rules.map(|rule| rule.title()).collect::<Vec<_>>()
        };
        assert_eq!(
            titles(vec![], "/work/shop/src", Some("ide"), Some("42")),
            [
                "task 42",
                "project /work/shop",
                "project /work",
                "host ide",
                "default"
            ]
        );
        assert_eq!(
            titles(
                vec![carried(Carrier::Field), carried(Carrier::Environment)],
                "/",
                None,
                None
            ),
            ["field", "environment", "default"]
        );
        assert_eq!(
            titles(vec![], "/work/shopping", None, Some("4")),
            ["project /work", "default"]
        );
    }
}
