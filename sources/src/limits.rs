//! How much is fetched and read at most.

/// What a place may hold. The numbers are for what is taken of it; the rest may be larger, as far as it is never read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files, at most; and as many folders.
    pub files: usize,
    /// Bytes of all files together, at most.
    pub bytes: u64,
    /// Bytes of all texts together, at most: they are read word by word.
    pub texts: u64,
    /// Folders in each other, at most.
    pub depth: usize,
    /// Bytes of a path, at most.
    pub path: usize,
    /// Bytes that come over the network or lie in an archive file, at most.
    pub transfer: u64,
    /// How often larger than its archive file a content may be. Texts are seldom more than twenty times larger.
    pub ratio: u64,
}

impl Default for Limits {
    /// 20 000 files (what Codex 0.169 itself scans of a root), 256 MiB, 32 MiB of texts.
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            files: 20_000,
            bytes: 256 * MIB,
            texts: 32 * MIB,
            depth: 100,
            path: 1024,
            transfer: 256 * MIB,
            ratio: 200,
        }
    }
}

/// What is read word by word when a plugin is converted.
pub(crate) fn is_text(path: &str) -> bool {
    [".md", ".json", ".toml", ".yaml", ".yml", ".txt", ".mdc"]
        .iter()
        .any(|end| path.ends_with(end))
}
