//! Editing one level of an object; every value that is not edited keeps its text.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use indexmap::IndexMap;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::frame::range_in;
use super::head::{Id, Key};

/// A frame could not be edited, because a part of it is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The frame, or the member in question, is no JSON object.
    #[error("`{0}` is not a JSON object")]
    NotAnObject(&'static str),
}

/// An object whose values are kept as text. A member given twice counts as its last occurrence.
#[derive(Debug, Clone, Default)]
pub struct RawObject<'a>(IndexMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> RawObject<'a> {
    /// Reads an object; `null` and nothing at all count as an empty one.
    ///
    /// # Errors
    /// [`EditError::NotAnObject`], naming `what`.
    pub fn parse(text: &'a str, what: &'static str) -> Result<Self, EditError> {
        match text.trim() {
            "" | "null" => Ok(Self::default()),
            _ => serde_json::from_str(text).map_err(|_| EditError::NotAnObject(what)),
        }
    }

    /// The JSON text of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(AsRef::as_ref)
    }

    /// A member that is a string.
    #[must_use]
    pub fn get_string(&self, key: &str) -> Option<String> {
        serde_json::from_str(self.get(key)?).ok()
    }

    /// Takes a member out, the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Cow<'a, str>> {
        self.0.shift_remove(key)
    }

    /// Sets a member to a JSON text; a new one comes last.
    pub fn set(&mut self, key: &'static str, json: String) {
        self.0.insert(Cow::Borrowed(key), Cow::Owned(json));
    }

    /// Sets a member to a JSON text that lives elsewhere; a new one comes last.
    pub fn set_text(&mut self, key: &'a str, json: &'a str) {
        self.0.insert(Cow::Borrowed(key), Cow::Borrowed(json));
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, json)| (key.as_ref(), json.as_ref()))
    }
}

impl fmt::Display for RawObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (key, json)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let key = serde_json::to_string(key).map_err(|_| fmt::Error)?;
            write!(f, "{comma}{key}:{json}")?;
        }
        f.write_str("}")
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawObject<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = IndexMap::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.insert(key, Cow::Borrowed(map.next_value::<&RawValue>()?.get()));
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The message with other `params`; every byte outside them stays.
///
/// # Errors
/// [`EditError::NotAnObject`] if the message is none.
pub(crate) fn replace_params(message: &Bytes, params: &RawObject<'_>) -> Result<Bytes, EditError> {
    let text = text(message)?;
    let mut members = RawObject::parse(text, "message")?;
    let params = params.to_string();
    if let Some(old) = members.get("params") {
        let span = range_in(message, old);
        let mut edited = BytesMut::with_capacity(message.len() - span.len() + params.len());
        edited.put_slice(&message[..span.start]);
        edited.put_slice(params.as_bytes());
        edited.put_slice(&message[span.end..]);
        return Ok(edited.freeze());
    }
    members.set("params", params);
    Ok(Bytes::from(members.to_string()))
}

/// The response with one more member at the head of its `result`; every other byte stays.
///
/// # Errors
/// [`EditError::NotAnObject`] if the message or its `result` is none.
pub(crate) fn insert_into_result(
    message: &Bytes,
    key: &str,
    json: &str,
) -> Result<Bytes, EditError> {
    let text = text(message)?;
    let members = RawObject::parse(text, "message")?;
    let result = members
        .get("result")
        .filter(|result| result.starts_with('{'))
        .ok_or(EditError::NotAnObject("result"))?;
    let after_brace = range_in(message, result).start + 1;
    let comma = if result[1..].trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    let mut edited = BytesMut::with_capacity(message.len() + key.len() + json.len() + 4);
    edited.put_slice(&message[..after_brace]);
    edited.put_slice(format!("\"{key}\":{json}{comma}").as_bytes());
    edited.put_slice(&message[after_brace..]);
    Ok(edited.freeze())
}

/// An answer of our own: `{"id":…,"result":…}` or `{"id":…,"error":…}`, as a line.
#[must_use]
pub(crate) fn answer_frame(id: &Id, member: &'static str, json: &str) -> Bytes {
    Bytes::from(format!("{{\"id\":{},\"{member}\":{json}}}", id.as_json()))
}

/// The answer with this result.
///
/// # Errors
/// What can't be written as JSON.
pub(crate) fn result_frame<T: Serialize>(id: &Id, result: &T) -> Result<Bytes, serde_json::Error> {
    Ok(answer_frame(id, "result", &serde_json::to_string(result)?))
}

fn text(message: &Bytes) -> Result<&str, EditError> {
    std::str::from_utf8(message).map_err(|_| EditError::NotAnObject("message"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn params_are_replaced_in_place() {
        let message = Bytes::from_static(b"{ \"trace\": {\"a\":1.10}, \"params\" : {\"x\":1} ,\"id\":12345678901234567890123 }\r\n");
        let mut params = RawObject::parse(r#"{"x":1}"#, "params").unwrap();
        params.set("y", "2e0".to_owned());
        let edited = replace_params(&message, &params).unwrap();
        assert_eq!(edited, &b"{ \"trace\": {\"a\":1.10}, \"params\" : {\"x\":1,\"y\":2e0} ,\"id\":12345678901234567890123 }\r\n"[..]);
    }

    #[test]
    fn params_are_added_where_there_are_none() {
        let params = RawObject::parse(r#"{"x":1}"#, "params").unwrap();
        let edited =
            replace_params(&Bytes::from_static(b"{\"id\":1,\"method\":\"m\"}"), &params).unwrap();
        assert_eq!(
            edited,
            &b"{\"id\":1,\"method\":\"m\",\"params\":{\"x\":1}}"[..]
        );
    }

    #[test]
    fn a_result_gets_a_member() {
        let edit = |text: &'static str| {
            insert_into_result(&Bytes::from_static(text.as_bytes()), "k", "[1]")
        };
        assert_eq!(
            edit(r#"{"id":1,"result":{"a":1.0}}"#).unwrap(),
            r#"{"id":1,"result":{"k":[1],"a":1.0}}"#
        );
        assert_eq!(
            edit(r#"{"result":{ }}"#).unwrap(),
            r#"{"result":{"k":[1] }}"#
        );
        assert!(edit(r#"{"result":[]}"#).is_err());
        assert!(edit(r#"{"error":{}}"#).is_err());
    }

    proptest! {
        #[test]
        fn members_that_are_not_edited_keep_their_text_and_order(
            members in proptest::collection::vec((r#"[a-z"\\é]{1,6}"#, prop_oneof![
                Just("1.10".to_owned()), Just("12345678901234567890123".to_owned()), Just(r#"{"z":1,"a":[ 2 ]}"#.to_owned()),
                Just(r#""\u00e9\/""#.to_owned()), Just("null".to_owned()),
            ]), 0..8),
        ) {
            let unique: IndexMap<String, String> = members.into_iter().collect();
            let text = format!("{{{}}}", unique.iter().map(|(key, json)| format!("{}: {json}", serde_json::to_string(key).unwrap())).collect::<Vec<_>>().join(" , "));
            let mut object = RawObject::parse(&text, "params").unwrap();
            object.remove("\u{1}not there");
            object.set("capability", "true".to_owned());
            let edited = object.to_string();
            let again = RawObject::parse(&edited, "params").unwrap();
            let expected: Vec<(String, String)> = unique.into_iter().chain([("capability".to_owned(), "true".to_owned())]).collect();
            let seen: Vec<(String, String)> = again.iter().map(|(key, json)| (key.to_owned(), json.to_owned())).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
