//! Pages of lists that are read as a whole: a cursor says behind which entry the next page starts, so that entries
//! which come or go between two pages move none of the others.

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::method::{MAX_LIMIT, Page};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::params::invalid;

/// Which page of a list is wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) cursor: Option<String>,
    pub(super) limit: Option<u32>,
}

/// A page of the entries, in the order of their keys. A cursor is good for the list of this method alone.
///
/// # Errors
/// `invalidSelection` for a cursor of another list, or no cursor, and for a limit that is none.
pub(super) fn page<T, K>(
    method: &str,
    mut entries: Vec<T>,
    key: impl Fn(&T) -> K,
    wanted: Wanted,
) -> Result<Page<T>, LoadoutError>
where
    K: Ord + Serialize + DeserializeOwned,
{
    check_limit(wanted.limit)?;
    entries.sort_by_cached_key(&key);
    if let Some(cursor) = wanted.cursor {
        let behind: K = read(method, &cursor).ok_or_else(no_cursor)?;
        entries.retain(|entry| key(entry) > behind);
    }
    let limit = wanted.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(entries.len());
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_more);
    let next_cursor = last.and_then(|last| write(method, &key(last)));
    Ok(Page {
        data: entries,
        next_cursor,
    })
}

/// Whether a page may have this many entries.
///
/// # Errors
/// `invalidSelection` if not.
pub(super) fn check_limit(limit: Option<u32>) -> Result<(), LoadoutError> {
    match limit.is_none_or(|limit| (1..=MAX_LIMIT).contains(&limit)) {
        true => Ok(()),
        false => Err(invalid(
            "limit",
            &format!("a page has 1 to {MAX_LIMIT} entries"),
        )),
    }
}

/// The refusal of what is no cursor of a list.
pub(super) fn no_cursor() -> LoadoutError {
    invalid("cursor", "it is no `nextCursor` of an earlier page")
}

fn write<K: Serialize>(method: &str, key: &K) -> Option<String> {
    let text = serde_json::to_vec(&(method, key)).ok()?;
    Some(BASE64URL_NOPAD.encode(&text))
}

fn read<K: DeserializeOwned>(method: &str, cursor: &str) -> Option<K> {
    let text = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
    let (of, key): (String, K) = serde_json::from_slice(&text).ok()?;
    (of == method).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[u32], cursor: Option<String>, limit: Option<u32>) -> Page<u32> {
        let wanted = Wanted { cursor, limit };
        page("list", list.to_vec(), |entry| *entry, wanted).unwrap()
    }

    #[test]
    fn pages_go_on_behind_the_last_entry_whatever_came_or_went() {
        let whole = of(&[3, 1, 2], None, None);
        assert_eq!((whole.data, whole.next_cursor), (vec![1, 2, 3], None));
        let first = of(&[10, 20, 30, 40], None, Some(2));
        assert_eq!(first.data, [10, 20]);
        // One came before, one went, one came behind.
        let rest = of(&[5, 10, 25, 30, 40], first.next_cursor, Some(3));
        assert_eq!((rest.data, rest.next_cursor), (vec![25, 30, 40], None));
    }

    #[test]
    fn what_is_no_cursor_or_limit_of_this_list_is_refused() {
        let of_another = write("other", &1).unwrap();
        let of_another_kind = write("list", &"text").unwrap();
        for (cursor, limit) in [
            (Some(String::new()), None),
            (Some("no cursor!".to_owned()), None),
            (Some(of_another), None),
            (Some(of_another_kind), None),
            (None, Some(0)),
            (None, Some(MAX_LIMIT + 1)),
        ] {
            let wanted = Wanted { cursor, limit };
            let refused = page("list", vec![1], |entry| *entry, wanted).unwrap_err();
            assert!(refused.message.contains("is not valid"), "{refused}");
        }
    }
}
