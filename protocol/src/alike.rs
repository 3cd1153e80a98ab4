//! Names to suggest for one that nothing has.

/// How alike a name must be to be suggested, of 1.
const LIKENESS: f64 = 0.8;
/// How many names are suggested.
const SUGGESTIONS: usize = 3;

/// The known names that look like this one, the likeliest first.
#[must_use]
pub fn alike<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let mut found: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| {
            let lower = known.to_lowercase();
            // A plugin's skill is often written without its plugin.
            let own = lower.rsplit(':').next().unwrap_or(&lower);
            let likeness =
                strsim::jaro_winkler(&wanted, &lower).max(strsim::jaro_winkler(&wanted, own));
            (likeness, known)
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    found.dedup_by(|a, b| a.1 == b.1);
    found
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, name)| name.to_owned())
        .collect()
}
