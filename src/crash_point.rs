//! Where tests let the process end without warning. Builds without debug assertions have none of it.

/// Names the place at which to end.
#[cfg(debug_assertions)]
const VARIABLE: &str = "CODEX_LOADOUT_CRASH_AT";

/// Ends the process here if that was asked for, as `kill -9` would.
#[inline]
pub(crate) fn crash_point(name: &str) {
    #[cfg(debug_assertions)]
    if std::env::var_os(VARIABLE).is_some_and(|wanted| wanted == name) {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
}
