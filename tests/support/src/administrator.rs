//! A machine with an administrator: `/etc/codex` as a folder of ours, in a mount namespace of one process.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// `$0` is to be `/etc/codex` and what lies beside it as `$0-loadout` `/etc/codex-loadout`, `$1` is an empty folder; the
/// rest is run.
const SCRIPT: &str = r#"set -e
admin=$0 etc=$1
shift
if [ ! -d /etc/codex ] || [ ! -d /etc/codex-loadout ]; then
    mount -t tmpfs tmpfs "$etc"
    cp -a /etc/. "$etc/" 2>/dev/null || true
    mkdir -p "$etc/codex" "$etc/codex-loadout"
    mount --bind "$etc" /etc
fi
mount --bind "$admin" /etc/codex
mount --bind "$admin-loadout" /etc/codex-loadout
exec "$@""#;

/// The arguments of `unshare` that run a program where what lies in `admin` in this folder is `/etc/codex`, and what lies
/// in `admin-loadout` is `/etc/codex-loadout`; the
/// program and its arguments are to follow.
///
/// # Errors
///
/// When the folders can't be made.
pub fn under_administrator(folder: &Path) -> Result<Vec<String>> {
    fs::create_dir_all(folder.join("admin-loadout"))?;
    let places = ["admin", "etc"].map(|name| folder.join(name));
    let mut arguments: Vec<String> = ["-m", "sh", "-c", SCRIPT].map(str::to_owned).to_vec();
    for place in places {
        fs::create_dir_all(&place)?;
        arguments.push(place.to_string_lossy().into_owned());
    }
    Ok(arguments)
}

/// Whether this machine lets us make such a namespace.
#[must_use]
pub fn can_be_under_administrator(folder: &Path) -> bool {
    under_administrator(folder).is_ok_and(|arguments| {
        let tried = Command::new("unshare").args(arguments).arg("true").output();
        tried.is_ok_and(|tried| tried.status.success())
    })
}
