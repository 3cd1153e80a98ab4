//! The head of a skill's file.

use std::io::Read;
use std::path::Path;

use codex_loadout_converter::target::SkillHeader;
use codex_loadout_files::open_regular;

/// Frontmatter ends long before this many bytes.
const HEADER_LIMIT: u64 = 64 * 1024;

/// Reads the head of a `SKILL.md`; `None` where Codex would not load the skill.
#[must_use]
pub(crate) fn read_skill_header(path: &Path) -> Option<SkillHeader> {
    let mut text = Vec::new();
    open_regular(path)
        .ok()?
        .take(HEADER_LIMIT)
        .read_to_end(&mut text)
        .ok()?;
    SkillHeader::parse(&String::from_utf8_lossy(&text)).ok()
}
