//! One message: its bytes and its head.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

use bytes::Bytes;
use memchr::memmem::Finder;

use super::head::{Head, Id};

/// What a message is, by the members it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// `method` and `id`: it wants an answer.
    Request,
    /// `method` alone.
    Notification,
    /// `id` alone: a result or an error.
    Response,
    /// Not a JSON-RPC message. It goes on as it came: whoever is meant by it decides what it is worth.
    Malformed,
}

/// One message as it arrived. Its head is read when it is first asked for: most messages go
/// on without.
#[derive(Debug, Clone)]
pub struct Frame {
    bytes: Bytes,
    head: OnceLock<FrameHead>,
}

/// Where in the bytes the head's members are.
#[derive(Debug, Clone)]
struct FrameHead {
    kind: FrameKind,
    id: Range<usize>,
    method: MethodText,
}

#[derive(Debug, Clone)]
enum MethodText {
    /// Where it stands in the bytes.
    At(Range<usize>),
    /// Written with escapes.
    Unescaped(Box<str>),
}

impl FrameHead {
    fn read(bytes: &[u8]) -> Self {
        let head: Head<'_> = serde_json::from_slice(bytes).unwrap_or_default();
        let kind = match (&head.id, &head.method) {
            (Some(_), Some(_)) => FrameKind::Request,
            (None, Some(_)) => FrameKind::Notification,
            (Some(_), None) => FrameKind::Response,
            (None, None) => FrameKind::Malformed,
        };
        let id = head.id.map_or(0..0, |id| range_in(bytes, id.get()));
        let method = match head.method {
            Some(Cow::Borrowed(method)) => MethodText::At(range_in(bytes, method)),
            Some(Cow::Owned(method)) => MethodText::Unescaped(method.into()),
            None => MethodText::At(0..0),
        };
        Self { kind, id, method }
    }
}

/// How Codex begins what it says of its own accord.
const METHOD_FIRST: &[u8] = br#"{"method":""#;

impl Frame {
    /// A message. What is none is [`FrameKind::Malformed`].
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            head: OnceLock::new(),
        }
    }

    fn head(&self) -> &FrameHead {
        self.head.get_or_init(|| FrameHead::read(&self.bytes))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> FrameKind {
        self.head().kind
    }

    /// Whether it can't be a request, nor anything else with an id; quicker than to read the head. A member is called
    /// `id` nowhere in it, nor in a spelling with escapes.
    #[must_use]
    pub fn is_surely_without_id(&self) -> bool {
        static ID: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(br#""id""#));
        static ESCAPE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(br"\u00"));
        ID.find(&self.bytes).is_none() && ESCAPE.find(&self.bytes).is_none()
    }

    /// The method where it comes first, without a look at what follows: Codex writes its notifications and requests that
    /// way. What anybody could have sent may have another one later, and that one counts.
    #[must_use]
    pub fn method_that_comes_first(&self) -> Option<&str> {
        let after = self.bytes.strip_prefix(METHOD_FIRST)?;
        let end = memchr::memchr2(b'"', b'\\', after)?;
        let method = (after[end] == b'"').then_some(&after[..end])?;
        std::str::from_utf8(method).ok()
    }

    /// The method; empty for a response and for what is malformed.
    #[must_use]
    pub fn method(&self) -> &str {
        match &self.head().method {
            MethodText::At(range) => self.text(range),
            MethodText::Unescaped(method) => method,
        }
    }

    /// The JSON text of the id; empty where there is none.
    #[must_use]
    pub fn id_json(&self) -> &str {
        self.text(&self.head().id)
    }

    /// The id as a value to keep.
    #[must_use]
    pub fn id(&self) -> Id {
        Id::from_json(self.id_json())
    }

    /// The bytes as they arrived.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as they arrived, to send on.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Ranges are made from text that serde took out of the bytes as UTF-8.
    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[range.clone()]).unwrap_or_default()
    }
}

/// Where a text borrowed from `bytes` stands in them.
pub(super) fn range_in(bytes: &[u8], part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(text: &str) -> Frame {
        Frame::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn heads() {
        for (text, kind, id, method) in [
            (r#"{"id":1,"method":"a"}"#, FrameKind::Request, "1", "a"),
            (
                r#" {"params":{"id":9},"method":"thread\/start","id":"x\n"} "#,
                FrameKind::Request,
                r#""x\n""#,
                "thread/start",
            ),
            (r#"{"method":"a"}"#, FrameKind::Notification, "", "a"),
            (r#"{"result":{},"id":-5}"#, FrameKind::Response, "-5", ""),
            (
                r#"{"id":1,"method":"a","id":2}"#,
                FrameKind::Request,
                "2",
                "a",
            ),
            (
                r#"{"id":12345678901234567890123,"error":{}}"#,
                FrameKind::Response,
                "12345678901234567890123",
                "",
            ),
            ("", FrameKind::Malformed, "", ""),
            ("[]", FrameKind::Malformed, "", ""),
            (r#"{"id":1"#, FrameKind::Malformed, "", ""),
            (r#"{"method":5}"#, FrameKind::Malformed, "", ""),
        ] {
            let frame = frame(text);
            assert_eq!(
                (frame.kind(), frame.id_json(), frame.method()),
                (kind, id, method),
                "{text}"
            );
            assert_eq!(frame.bytes(), text.as_bytes());
        }
    }

    #[test]
    fn a_method_that_comes_first() {
        for (text, expected) in [
            (r#"{"method":"a/delta","params":{}}"#, Some("a/delta")),
            (r#"{"method":"a\/delta"}"#, None),
            (r#"{"method":"a"#, None),
            (r#"{ "method":"a"}"#, None),
            (r#"{"id":1,"method":"a"}"#, None),
            ("", None),
        ] {
            assert_eq!(frame(text).method_that_comes_first(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_surely_without_an_id_has_none(
            members in proptest::collection::vec(
                (
                    prop_oneof![Just("id"), Just(r"\u0069d"), Just(r"i\u0064"), Just("method"), Just("params"), Just("idle")],
                    prop_oneof![Just("1"), Just(r#""id""#), Just(r#""a\"id\"""#), Just(r#"{"id":1}"#), Just(r#"["x"]"#)],
                ),
                0..5,
            ),
            space in "[ \t]{0,1}",
        ) {
            let members: Vec<String> = members.iter().map(|(key, json)| format!(r#""{key}"{space}:{space}{json}"#)).collect();
            let frame = frame(&format!("{{{}}}", members.join(",")));
            if frame.is_surely_without_id() {
                prop_assert_eq!(frame.id_json(), "");
            }
        }

        #[test]
        fn any_bytes_are_a_frame_and_stay_as_they_are(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let frame = Frame::new(Bytes::from(bytes.clone()));
            prop_assert_eq!(frame.bytes().as_ref(), bytes.as_slice());
            let _ = (frame.method(), frame.id_json());
        }
    }
}
