//! The schemas that Codex generates of its own protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Map, Value, json};

/// How deep values are made.
const DEPTH: usize = 8;

/// A file of a schema.
pub(crate) struct Schema(Value);

/// A file of the schemas without and with what is experimental.
pub(crate) fn schemas(file: &str) -> [Schema; 2] {
    let codex = lab::codex(lab::DEFAULT_VERSION).unwrap();
    let folder = tempfile::tempdir().unwrap();
    [&[][..], &["--experimental"]].map(|flags: &[&str]| {
        let out = folder.path().join(flags.len().to_string());
        let done = Command::new(&codex)
            .args(["app-server", "generate-json-schema"])
            .args(flags)
            .arg("--out")
            .arg(&out)
            .env("CODEX_HOME", folder.path())
            .output()
            .unwrap();
        assert!(done.status.success());
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        Schema(serde_json::from_str(&text).unwrap())
    })
}

impl Schema {
    /// The methods, with their params.
    fn methods(&self) -> impl Iterator<Item = (String, &Value)> {
        let all = self.0["oneOf"].as_array().unwrap().iter();
        all.map(|one| {
            let method = one["properties"]["method"]["enum"][0].as_str().unwrap();
            (method.to_owned(), &one["properties"]["params"])
        })
    }

    /// What a schema refers to.
    fn resolved<'a>(&'a self, mut schema: &'a Value) -> &'a Value {
        while let Some(name) = schema["$ref"].as_str() {
            schema = &self.0["definitions"][name.rsplit('/').next().unwrap()];
        }
        schema
    }

    /// The members that the params of each method may have.
    pub(crate) fn params_by_method(&self) -> BTreeMap<String, BTreeSet<String>> {
        let methods = self.methods();
        let fields = |params| {
            let fields = self.resolved(params)["properties"].as_object();
            fields.into_iter().flat_map(Map::keys).cloned().collect()
        };
        methods
            .map(|(method, params)| (method, fields(params)))
            .collect()
    }

    /// The members of each type, with the words that say which of several kinds it is; and all methods.
    pub(crate) fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut members = BTreeMap::new();
        for (name, schema) in self.0["definitions"].as_object().unwrap() {
            let kinds = schema["oneOf"].as_array().into_iter().flatten();
            let mut found = BTreeSet::new();
            for one in kinds.chain([schema]) {
                for (member, of) in one["properties"].as_object().into_iter().flatten() {
                    match of["enum"].as_array().map(Vec::as_slice) {
                        Some([Value::String(word)]) => found.insert(format!("{member}={word}")),
                        _ => found.insert(member.clone()),
                    };
                }
                let words = one["enum"].as_array().into_iter().flatten();
                found.extend(words.filter_map(Value::as_str).map(str::to_owned));
            }
            members.insert(name.clone(), found);
        }
        let methods = self.methods().map(|(method, _)| method);
        members.insert("method".to_owned(), methods.collect());
        members
    }

    /// Requests of each method: one with as little as it takes, and one with each member, kind and word that its params
    /// may have, at any depth.
    pub(crate) fn samples(&self) -> Vec<(String, Value)> {
        let mut samples = Vec::new();
        for (method, params) in self.methods() {
            let mut of_method = vec![self.least(params, 0)];
            self.each(params, 0, &mut of_method);
            let mut seen = BTreeSet::new();
            of_method.retain(|params| params.is_object() && seen.insert(params.to_string()));
            samples.extend(of_method.into_iter().map(|params| (method.clone(), params)));
        }
        samples
    }

    fn least(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        let first = ["allOf", "oneOf", "anyOf"]
            .iter()
            .find_map(|of| schema[*of].get(0));
        let of_type = schema["type"].as_str().or(schema["type"][0].as_str());
        match (first, of_type) {
            _ if depth > DEPTH => Value::Null,
            _ if !schema["default"].is_null() => schema["default"].clone(),
            _ if schema["enum"].is_array() => schema["enum"][0].clone(),
            (Some(first), _) => self.least(first, depth + 1),
            (_, Some("object")) => {
                let required = schema["required"].as_array().into_iter().flatten();
                let members = required.filter_map(Value::as_str).map(|member| {
                    let value = self.least(&schema["properties"][member], depth + 1);
                    (member.to_owned(), value)
                });
                Value::Object(members.collect())
            }
            (_, Some("string")) => json!("/x"),
            (_, Some("integer" | "number")) => json!(1),
            (_, Some("boolean")) => json!(true),
            (_, Some("array")) => json!([]),
            _ => json!({}),
        }
    }

    fn each(&self, schema: &Value, depth: usize, found: &mut Vec<Value>) {
        let schema = self.resolved(schema);
        if depth > DEPTH {
            return;
        }
        let kinds = ["allOf", "oneOf", "anyOf"].map(|of| schema[of].as_array());
        for kind in kinds.into_iter().flatten().flatten() {
            if self.resolved(kind)["type"] != "null" {
                found.push(self.least(kind, depth + 1));
                self.each(kind, depth + 1, found);
            }
        }
        found.extend(schema["enum"].as_array().into_iter().flatten().cloned());
        let least = self.least(schema, depth);
        for (member, of) in schema["properties"].as_object().into_iter().flatten() {
            let mut values = vec![self.least(of, depth + 1)];
            self.each(of, depth + 1, &mut values);
            found.extend(values.into_iter().map(|value| {
                let mut with = least.clone();
                with[member] = value;
                with
            }));
        }
        if schema["items"].is_object() {
            let mut items = vec![self.least(&schema["items"], depth + 1)];
            self.each(&schema["items"], depth + 1, &mut items);
            found.extend(items.into_iter().map(|item| json!([item])));
        }
    }
}
