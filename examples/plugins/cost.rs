//! How long the conversion takes, in memory, and how that grows.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use codex_loadout::bundle::TreeFile;
use codex_loadout_converter::names::Names;
use codex_loadout_converter::target::Codex;
use codex_loadout_converter::{Options, Source, convert, names};
use serde_json::{Value, json};

use crate::corpus::Corpus;

const RUNS: usize = 7;
const MANIFESTS: [&str; 2] = [".claude-plugin/plugin.json", ".codex-plugin/plugin.json"];

/// Times all corpora, then twice and four times as many plugins in each, every copy under a name of its own.
pub(crate) fn measure(corpora: &[Corpus]) -> Result<String> {
    let sizes = [1, 2, 4];
    let copies = sizes.map(|copies| {
        let corpora = corpora.iter().map(|corpus| several(corpus, copies));
        corpora.collect::<Vec<_>>()
    });
    let mut best = [Duration::MAX; 3];
    // In turns, so that what else the machine does is spread over all sizes.
    for _ in 0..RUNS {
        for (corpora, best) in copies.iter().zip(&mut best) {
            let begun = Instant::now();
            for sources in corpora {
                convert_corpus(sources)?;
            }
            *best = begun.elapsed().min(*best);
        }
    }
    let one = &copies[0];
    let plugins: usize = one.iter().map(Vec::len).sum();
    let files = || one.iter().flatten().flat_map(|source| source.tree.iter());
    let bytes: usize = files().map(|(_, file)| file.bytes.len()).sum();
    let ratio = |time: Duration| time.as_secs_f64() / best[0].as_secs_f64();
    Ok(format!(
        "All {plugins} plugins ({} files, {:.1} MB) are converted in {} ms, the best of {RUNS} runs.\n\
         Twice the plugins take {:.2} times as long, four times the plugins {:.2} times.",
        files().count(),
        bytes as f64 / 1e6,
        best[0].as_millis(),
        ratio(best[1]),
        ratio(best[2]),
    ))
}

fn convert_corpus(sources: &[Source]) -> Result<()> {
    let mut options = Options::default();
    let plugins = sources.iter();
    options.neighbours = Names {
        plugins: plugins
            .map(|source| names(source, &options, &Codex))
            .collect::<Result<_, _>>()?,
    };
    for source in sources {
        black_box(convert(source, &options, &Codex)?);
    }
    Ok(())
}

fn several(corpus: &Corpus, copies: usize) -> Vec<Source> {
    let sources = corpus.plugins.iter().map(|plugin| &plugin.source);
    (0..copies)
        .flat_map(|copy| sources.clone().map(move |source| renamed(source, copy)))
        .collect()
}

/// A copy under another name; the first keeps its own.
fn renamed(source: &Source, copy: usize) -> Source {
    let mut source = source.clone();
    if copy == 0 {
        return source;
    }
    let other = |name: &str| format!("{name}-{copy}");
    let folder = other(&source.folder);
    source.folder = folder;
    if let Some(entry) = &mut source.entry
        && let Some(name) = entry.get("name").and_then(Value::as_str).map(other)
    {
        entry.insert("name".to_owned(), json!(name));
    }
    for path in MANIFESTS {
        let manifest = source.tree.get(path).map(|file| &file.bytes);
        let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        if let Some(mut manifest) = manifest
            && let Some(name) = manifest["name"].as_str().map(other)
        {
            manifest["name"] = json!(name);
            let text = manifest.to_string();
            source.tree.insert(path, TreeFile::plain(text));
        }
    }
    source
}
