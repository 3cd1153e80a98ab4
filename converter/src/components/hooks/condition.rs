//! The condition of a handler: `if`, one of Claude's permission rules.

use super::matcher::Reach;
use crate::target::Target;

/// Why a condition can't be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untestable {
    /// It is no rule.
    Malformed,
    /// It speaks of a tool that nothing in the target stands for.
    UnknownTool,
    /// It stands at an event that has no tool.
    NoCall,
}

/// Whether the adapter can test a condition. `reach` is that of the matcher; `None` where the event has no tool.
pub(super) fn check(
    condition: &str,
    reach: Option<&Reach>,
    target: &dyn Target,
) -> Result<(), Untestable> {
    if reach.is_none() {
        return Err(Untestable::NoCall);
    }
    let condition = condition.trim();
    let tool = match condition.split_once('(') {
        None => condition,
        Some((tool, rest)) if rest.ends_with(')') => tool,
        Some(_) => return Err(Untestable::Malformed),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if tool.is_empty() || !tool.chars().all(is_name) {
        return Err(Untestable::Malformed);
    }
    if target.hook_tool(tool).is_some() || tool.starts_with("mcp__") {
        Ok(())
    } else {
        Err(Untestable::UnknownTool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Codex;

    #[test]
    fn rules_of_known_tools_can_be_tested() {
        let reach = Reach::default();
        for (condition, result) in [
            ("Bash(git commit:*)", Ok(())),
            ("Edit(src/**)", Ok(())),
            ("mcp__a__b", Ok(())),
            ("Read(x)", Err(Untestable::UnknownTool)),
            ("Bash(git", Err(Untestable::Malformed)),
            ("a && b", Err(Untestable::Malformed)),
            ("", Err(Untestable::Malformed)),
        ] {
            assert_eq!(
                check(condition, Some(&reach), &Codex),
                result,
                "{condition}"
            );
        }
        assert_eq!(check("Bash", None, &Codex), Err(Untestable::NoCall));
    }
}
