//! Frames: the bytes of one message, and as little understanding of them as will do.
//!
//! A frame keeps the exact bytes it arrived as. Of those, only the *head* is
//! parsed: `id` and `method`. What nobody claims goes on as it came.
//!
//! *Architecture invariant:* no method name, no thread, no selection is known
//! here, and a frame is never turned into a `serde_json::Value` and back: that
//! would reorder keys and rewrite numbers.

mod frame;
mod head;
mod lines;
mod object;
mod read_by_codex;

pub(crate) use frame::{Frame, FrameKind};
pub(crate) use head::Id;
pub(crate) use head::Key;
pub(crate) use lines::{LineCodec, READ_SIZE};
pub(crate) use object::{
    EditError, RawObject, answer_frame, insert_into_result, replace_params, result_frame,
};
pub(crate) use read_by_codex::is_read_by_codex;
