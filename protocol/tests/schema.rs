//! The committed schemas are those of the types. `UPDATE_SCHEMA=1 cargo test -p codex-loadout-protocol` rewrites them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn committed_schemas_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let schemas = codex_loadout_protocol::schema::all();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        for (name, text) in &schemas {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, text) in &schemas {
        let committed = fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(
            &committed, text,
            "{name} is stale; run with UPDATE_SCHEMA=1 to rewrite it"
        );
    }
    let committed: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let generated: BTreeSet<String> = schemas.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        committed, generated,
        "a schema file without a type, or the reverse"
    );
}
