//! JSON Schema of every type of the extension, generated from the types.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use crate::audit::{AuditEntry, CapabilityAuditListParams};
use crate::binding::{
    CapabilityBinding, CapabilityBindingDeleteParams, CapabilityBindingListParams,
    CapabilityBindingWriteParams, CapabilityBindingWriteResult, CapabilityResolveParams,
    CapabilityResolveResult, Deleted,
};
use crate::bundle::{
    Bundle, CapabilityBundleAddParams, CapabilityBundleListParams, CapabilityBundleNameParams,
    CapabilityBundleRemoveResult, CapabilityBundleResult, CapabilityBundleTrustParams,
    CapabilityBundleTrustResult, CapabilityBundleUpdateParams, CapabilityBundleUpdateResult,
    CapabilityBundleVerifyParams, CapabilityBundleVerifyResult,
};
use crate::error::LoadoutError;
use crate::method::{
    Capability, CapabilityListParams, Page, ThreadCapabilityListParams, ThreadCapabilityProof,
    ThreadCapabilityProveParams, ThreadCapabilityReadParams, ThreadCapabilityReadResult,
    ThreadCapabilityUpdateParams, ThreadCapabilityUpdateResult, ThreadCapabilityUpdated,
    ThreadLoadout,
};
use crate::profile::{
    CapabilityProfileDeleteParams, CapabilityProfileListParams, CapabilityProfileReadParams,
    CapabilityProfileResult, CapabilityProfileWriteParams, DESCRIPTION, EXTENDS, ProfileEntry,
};
use crate::receipt::Receipt;
use crate::selection::CapabilitySelection;

/// File name to pretty-printed schema, as committed in `protocol/schema`.
#[must_use]
pub fn all() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("CapabilitySelection.json", render::<CapabilitySelection>()),
        ("Receipt.json", render::<Receipt>()),
        ("LoadoutError.json", render::<LoadoutError>()),
        (
            "CapabilityListParams.json",
            render::<CapabilityListParams>(),
        ),
        ("CapabilityListResult.json", render::<Page<Capability>>()),
        (
            "CapabilityResolveParams.json",
            render::<CapabilityResolveParams>(),
        ),
        (
            "CapabilityResolveResult.json",
            render::<CapabilityResolveResult>(),
        ),
        (
            "ThreadCapabilityReadParams.json",
            render::<ThreadCapabilityReadParams>(),
        ),
        (
            "ThreadCapabilityReadResult.json",
            render::<ThreadCapabilityReadResult>(),
        ),
        (
            "ThreadCapabilityProveParams.json",
            render::<ThreadCapabilityProveParams>(),
        ),
        (
            "ThreadCapabilityProveResult.json",
            render::<ThreadCapabilityProof>(),
        ),
        (
            "ThreadCapabilityUpdateParams.json",
            render::<ThreadCapabilityUpdateParams>(),
        ),
        (
            "ThreadCapabilityUpdateResult.json",
            render::<ThreadCapabilityUpdateResult>(),
        ),
        (
            "ThreadCapabilityUpdated.json",
            render::<ThreadCapabilityUpdated>(),
        ),
        (
            "ThreadCapabilityListParams.json",
            render::<ThreadCapabilityListParams>(),
        ),
        (
            "ThreadCapabilityListResult.json",
            render::<Page<ThreadLoadout>>(),
        ),
        (
            "CapabilityAuditListParams.json",
            render::<CapabilityAuditListParams>(),
        ),
        (
            "CapabilityAuditListResult.json",
            render::<Page<AuditEntry>>(),
        ),
        (
            "CapabilityBundleAddParams.json",
            render::<CapabilityBundleAddParams>(),
        ),
        (
            "CapabilityBundleAddResult.json",
            render::<CapabilityBundleResult>(),
        ),
        (
            "CapabilityBundleListParams.json",
            render::<CapabilityBundleListParams>(),
        ),
        ("CapabilityBundleListResult.json", render::<Page<Bundle>>()),
        (
            "CapabilityBundleReadParams.json",
            render::<CapabilityBundleNameParams>(),
        ),
        (
            "CapabilityBundleReadResult.json",
            render::<CapabilityBundleResult>(),
        ),
        (
            "CapabilityBundleUpdateParams.json",
            render::<CapabilityBundleUpdateParams>(),
        ),
        (
            "CapabilityBundleUpdateResult.json",
            render::<CapabilityBundleUpdateResult>(),
        ),
        (
            "CapabilityBundleRemoveParams.json",
            render::<CapabilityBundleNameParams>(),
        ),
        (
            "CapabilityBundleRemoveResult.json",
            render::<CapabilityBundleRemoveResult>(),
        ),
        (
            "CapabilityBundleVerifyParams.json",
            render::<CapabilityBundleVerifyParams>(),
        ),
        (
            "CapabilityBundleVerifyResult.json",
            render::<CapabilityBundleVerifyResult>(),
        ),
        (
            "CapabilityBundleTrustParams.json",
            render::<CapabilityBundleTrustParams>(),
        ),
        (
            "CapabilityBundleTrustResult.json",
            render::<CapabilityBundleTrustResult>(),
        ),
        ("ProfileFile.json", profile()),
        (
            "CapabilityProfileListParams.json",
            render::<CapabilityProfileListParams>(),
        ),
        (
            "CapabilityProfileListResult.json",
            render::<Page<ProfileEntry>>(),
        ),
        (
            "CapabilityProfileReadParams.json",
            render::<CapabilityProfileReadParams>(),
        ),
        (
            "CapabilityProfileReadResult.json",
            render::<CapabilityProfileResult>(),
        ),
        (
            "CapabilityProfileWriteParams.json",
            render::<CapabilityProfileWriteParams>(),
        ),
        (
            "CapabilityProfileWriteResult.json",
            render::<CapabilityProfileResult>(),
        ),
        (
            "CapabilityProfileDeleteParams.json",
            render::<CapabilityProfileDeleteParams>(),
        ),
        ("CapabilityProfileDeleteResult.json", render::<Deleted>()),
        (
            "CapabilityBindingListParams.json",
            render::<CapabilityBindingListParams>(),
        ),
        (
            "CapabilityBindingListResult.json",
            render::<Page<CapabilityBinding>>(),
        ),
        (
            "CapabilityBindingWriteParams.json",
            render::<CapabilityBindingWriteParams>(),
        ),
        (
            "CapabilityBindingWriteResult.json",
            render::<CapabilityBindingWriteResult>(),
        ),
        (
            "CapabilityBindingDeleteParams.json",
            render::<CapabilityBindingDeleteParams>(),
        ),
        ("CapabilityBindingDeleteResult.json", render::<Deleted>()),
    ])
}

/// The schema of a profile's file: the field's members in the spelling of TOML, and a profile's own.
#[must_use]
pub fn profile() -> String {
    let mut schema = schema_for!(CapabilitySelection).to_value();
    schema["title"] = "Profile".into();
    schema["description"] = "A selection with a name, as a file of codex-loadout.".into();
    spell_for_toml(&mut schema);
    if let Some(members) = schema["properties"].as_object_mut() {
        members.remove("profile");
        let names = json!({ "type": "array", "items": { "type": "string" } });
        let own = [
            (
                DESCRIPTION,
                json!({ "type": "string", "description": "What it is for." }),
            ),
            (
                EXTENDS,
                json!({ "description": "Profiles it begins with, merged left to right.",
                    "anyOf": [{ "type": "string" }, names] }),
            ),
        ];
        members.extend(own.map(|(name, schema)| (name.to_owned(), schema)));
    }
    format!("{schema:#}\n")
}

/// Members in snake case, and no `null`, which TOML does not have.
fn spell_for_toml(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(spell_for_toml),
        Value::Object(members) => {
            members.remove("default");
            if let Some(Value::Array(kinds)) = members.get_mut("type") {
                kinds.retain(|kind| kind != "null");
            }
            if let Some(Value::Array(forms)) = members.get_mut("anyOf") {
                forms.retain(|form| form["type"] != "null");
            }
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                *properties = std::mem::take(properties)
                    .into_iter()
                    .map(|(name, schema)| (snake_case(&name), schema))
                    .collect();
            }
            members.values_mut().for_each(spell_for_toml);
        }
        _ => {}
    }
}

/// `mcpServers` as `mcp_servers`.
#[must_use]
pub fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 2);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn render<T: JsonSchema>() -> String {
    let schema = schema_for!(T);
    // Alternate formatting of the underlying value is serde_json's pretty form.
    format!("{:#}\n", schema.as_value())
}
