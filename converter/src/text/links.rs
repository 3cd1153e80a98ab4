//! Relative Markdown links: they are written anew where the text or what it links to has moved.

use super::Role;
use super::draft::TextDraft;
use crate::options::BundleRoot;
use crate::paths::{folder_of, relative};
use crate::report::Code;

/// Rewrites links.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for link in &draft.scan.links {
        let Some(written) = relative_path(&body[link.clone()]) else {
            continue;
        };
        let path = decoded(written);
        let source = draft.resolve(&path);
        let Some(source) = source.filter(|source| draft.exists(source)) else {
            // A word alone need not be meant as a path.
            if !path.contains(['/', '.']) {
                continue;
            }
            draft.find(
                link.start,
                Code::DanglingLink,
                format!("`{path}` leads to no file of the plugin"),
            );
            continue;
        };
        let range = link.start..link.start + written.len();
        let folder = folder_of(draft.text.file);
        let new_folder = folder_of(draft.text.bundle_file);
        let new = draft.bundle_path(&source);
        match (&draft.context.options.root, draft.text.role) {
            (_, Role::Agent) => {
                let located = draft.locate(link.start, &source);
                let code = match &draft.context.options.root {
                    BundleRoot::At(_) => located.code,
                    BundleRoot::Portable => new,
                };
                draft.replace(range, &code);
            }
            _ if folder == new_folder && new == source => {}
            _ => {
                let mut way = relative(new_folder, &new);
                if written.ends_with('/') {
                    way.push('/');
                }
                draft.replace(range, &way);
            }
        }
    }
}

/// The path of a link that leads to a file near the text: no address, no anchor, no placeholder.
fn relative_path(link: &str) -> Option<&str> {
    let path = &link[..link.find(['#', '?']).unwrap_or(link.len())];
    let is_placeholder = path.contains(['$', '{', '<', '*', '[', '|']) || path.contains("...");
    let first = path.split('/').next().unwrap_or(path);
    let skip = path.is_empty()
        || is_placeholder
        || path.starts_with(['/', '~', '\\'])
        || first.contains(':')
        || first.starts_with("www.");
    (!skip).then_some(path)
}

/// `%20` and its like; what can't be decoded stays.
pub(super) fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let raw = path.as_bytes();
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let code = (*byte == b'%')
            .then(|| path.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}
