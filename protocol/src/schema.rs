//! JSON Schema of every type of the extension, generated from the types.

use std::collections::BTreeMap;

use schemars::{JsonSchema, schema_for};

use crate::audit::{AuditEntry, CapabilityAuditListParams};
use crate::error::LoadoutError;
use crate::method::{
    Capability, CapabilityListParams, CapabilityResolveParams, CapabilityResolveResult, Page,
    ThreadCapabilityListParams, ThreadCapabilityProof, ThreadCapabilityProveParams,
    ThreadCapabilityReadParams, ThreadCapabilityReadResult, ThreadCapabilityUpdateParams,
    ThreadCapabilityUpdateResult, ThreadCapabilityUpdated, ThreadLoadout,
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
    ])
}

fn render<T: JsonSchema>() -> String {
    let schema = schema_for!(T);
    // Alternate formatting of the underlying value is serde_json's pretty form.
    format!("{:#}\n", schema.as_value())
}
