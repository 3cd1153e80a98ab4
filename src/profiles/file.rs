//! The file of a profile: TOML in, a selection out, with the line of each member.

use std::collections::BTreeMap;
use std::path::Path;

use codex_loadout_protocol::alike::alike;
use codex_loadout_protocol::profile::{DESCRIPTION, EXTENDS};
use codex_loadout_protocol::schema::snake_case;
use codex_loadout_protocol::selection::MEMBERS;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::spelling::spelled;

/// Of a selection, what a profile says by `extends`.
const PROFILE: &str = "profile";
/// A member that people know in either spelling.
const HOST_SERVERS: &str = "hostServers";

/// The first line of a profile that we write, for editors that complete by a schema.
pub(crate) const SCHEMA_LINE: &str = "#:schema ";

/// A profile as its file says it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProfileFile {
    /// What it is for.
    pub description: Option<String>,
    /// The profiles it begins with.
    pub extends: Vec<String>,
    /// What it selects itself.
    pub selection: CapabilitySelection,
    /// The line of each member and entry, by its path in the field's spelling.
    lines: BTreeMap<String, usize>,
}

impl ProfileFile {
    /// A profile that is in no file yet.
    #[must_use]
    pub(crate) fn new(
        description: Option<String>,
        extends: Vec<String>,
        selection: CapabilitySelection,
    ) -> Self {
        Self {
            description,
            extends,
            selection,
            lines: BTreeMap::new(),
        }
    }

    /// The line of the profile that it begins with at this place.
    #[must_use]
    pub(crate) fn line_of_extended(&self, index: usize) -> usize {
        let entry = self.lines.get(&format!("{EXTENDS}[{index}]"));
        entry
            .or_else(|| self.lines.get(EXTENDS))
            .copied()
            .unwrap_or(1)
    }

    /// The names that it selects, with their lines.
    #[must_use]
    pub(crate) fn names(&self) -> Vec<(String, usize)> {
        let plugins = self.selection.plugins.iter().flatten();
        let skills = self.selection.skills.iter().flatten();
        let servers = self.selection.mcp_servers.iter().flatten();
        let lists: [(&str, Vec<&str>); 5] = [
            ("plugins", plugins.map(|plugin| &*plugin.id).collect()),
            ("skills", skills.map(|skill| &*skill.name).collect()),
            ("mcpServers", servers.map(|server| &*server.name).collect()),
            ("agents", texts(&self.selection.agents)),
            ("apps", texts(&self.selection.apps)),
        ];
        let mut names = Vec::new();
        for (list, entries) in lists {
            for (index, name) in entries.into_iter().enumerate() {
                let path = format!("{list}[{index}]");
                names.push((name.to_owned(), self.lines.get(&path).copied().unwrap_or(1)));
            }
        }
        names
    }
}

fn texts(list: &Option<Vec<String>>) -> Vec<&str> {
    list.iter().flatten().map(String::as_str).collect()
}

/// Whether a profile can have this name: it is that of a file, too.
#[must_use]
pub(crate) fn is_profile_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=64).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.')
}

/// Reads a profile's text.
///
/// # Errors
/// `invalidSelection`, with the file, the line and the member that are wrong.
pub(crate) fn parse(path: &Path, text: &str) -> Result<ProfileFile, LoadoutError> {
    let text = text.trim_start_matches('\u{feff}');
    let line_at = |at: usize| {
        1 + text
            .get(..at)
            .map_or(0, |before| before.matches('\n').count())
    };
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(span.start));
        invalid(path, line, "is not TOML", error.message(), Vec::new())
    })?;
    let mut reader = Reader {
        line_at: &line_at,
        lines: BTreeMap::new(),
        unknown: Vec::new(),
    };
    let mut members = reader.table(table.get_ref(), "", Level::Profile);
    let Reader { lines, unknown, .. } = reader;
    if let Some((first, line)) = unknown.first() {
        let said = match first.name.as_str() {
            PROFILE => {
                "`profile` is no member of a profile: it begins with others by `extends`".to_owned()
            }
            name => format!("`{name}` is no member of a profile"),
        };
        let more = match unknown.len() {
            1 => String::new(),
            several => format!(" (and {} more)", several - 1),
        };
        let items = unknown.iter().map(|(item, _)| item.clone()).collect();
        return Err(invalid(path, *line, &format!("{said}{more}"), "", items));
    }
    let wrong = |member: &str, expected: &str| {
        let line = lines.get(member).copied().unwrap_or(1);
        let item = ErrorItem::named(member);
        invalid(
            path,
            line,
            &format!("`{member}` is not valid"),
            expected,
            vec![item],
        )
    };
    let description = match members.remove(DESCRIPTION) {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => return Err(wrong(DESCRIPTION, "expected a string")),
    };
    let extends = match members.remove(EXTENDS) {
        None => Vec::new(),
        Some(Value::String(name)) => vec![name],
        Some(names) => serde_json::from_value(names)
            .map_err(|_| wrong(EXTENDS, "expected a list of profile names"))?,
    };
    let selection = CapabilitySelection::read(Value::Object(members)).map_err(|error| {
        let line = nearest_line(&lines, &error.path);
        let member = snake_case(&error.path);
        let item = ErrorItem {
            name: member.clone(),
            did_you_mean: error.did_you_mean,
            ..ErrorItem::default()
        };
        invalid(
            path,
            line,
            &format!("`{member}` is not valid"),
            &error.cause,
            vec![item],
        )
    })?;
    Ok(ProfileFile {
        description,
        extends,
        selection,
        lines,
    })
}

/// The line of a member, else that of the nearest one around it.
fn nearest_line(lines: &BTreeMap<String, usize>, path: &str) -> usize {
    let mut path = path;
    loop {
        if let Some(line) = lines.get(path) {
            return *line;
        }
        match path.rfind(['.', '[']) {
            Some(end) => path = &path[..end],
            None => return 1,
        }
    }
}

fn invalid(path: &Path, line: usize, what: &str, why: &str, items: Vec<ErrorItem>) -> LoadoutError {
    let why = match why {
        "" => String::new(),
        why => format!(": {}", why.trim().replace('\n', "; ")),
    };
    let message = format!("`{}`, line {line}: {what}{why}", path.display());
    LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("`codex-loadout schema profile` prints the JSON Schema of a profile.")
        .with_items(items)
}

/// Where in a profile a table stands: that says which members it has.
#[derive(Clone, Copy)]
enum Level {
    Profile,
    Entry,
}

struct Reader<'a> {
    line_at: &'a dyn Fn(usize) -> usize,
    lines: BTreeMap<String, usize>,
    unknown: Vec<(ErrorItem, usize)>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, at: &str, level: Level) -> Map<String, Value> {
        let mut members = Map::new();
        for (key, value) in table {
            let line = (self.line_at)(key.span().start);
            let name = match level {
                Level::Profile => self.member(key.get_ref(), line),
                Level::Entry => spelled(key.get_ref(), &MEMBERS),
            };
            let path = match at {
                "" => name.clone(),
                at => format!("{at}.{name}"),
            };
            self.lines.insert(path.clone(), line);
            let value = self.value(value, &path);
            members.insert(name, value);
        }
        members
    }

    /// A member of the profile, in the field's spelling; an unknown one is noted.
    fn member(&mut self, key: &str, line: usize) -> String {
        if [DESCRIPTION, EXTENDS, HOST_SERVERS].contains(&key) {
            return key.to_owned();
        }
        let known = MEMBERS.iter().filter(|member| **member != PROFILE);
        let known: Vec<(String, &str)> = known.map(|name| (snake_case(name), *name)).collect();
        if let Some((_, name)) = known.iter().find(|(snake, _)| snake == key) {
            return (*name).to_owned();
        }
        let own = [DESCRIPTION, EXTENDS];
        let names = known.iter().map(|(snake, _)| snake.as_str()).chain(own);
        let did_you_mean = match key {
            PROFILE => vec![EXTENDS.to_owned()],
            key => alike(&snake_case(key), names),
        };
        let item = ErrorItem {
            name: key.to_owned(),
            did_you_mean,
            ..ErrorItem::default()
        };
        self.unknown.push((item, line));
        key.to_owned()
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(truth) => Value::from(*truth),
            DeValue::Integer(number) => number
                .as_str()
                .parse::<i64>()
                .map_or_else(|_| Value::from(number.as_str()), Value::from),
            DeValue::Float(number) => number
                .as_str()
                .parse::<f64>()
                .map_or_else(|_| Value::from(number.as_str()), Value::from),
            DeValue::Datetime(time) => Value::from(time.to_string()),
            DeValue::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    let line = (self.line_at)(item.span().start);
                    self.lines.insert(path.clone(), line);
                    list.push(self.value(item, &path));
                }
                Value::Array(list)
            }
            DeValue::Table(table) => Value::Object(self.table(table, path, Level::Entry)),
        }
    }
}

/// A profile's text.
#[must_use]
pub(crate) fn print(schema: &str, file: &ProfileFile) -> String {
    let mut members = toml::Table::new();
    if let Some(description) = &file.description {
        members.insert(DESCRIPTION.to_owned(), description.as_str().into());
    }
    if !file.extends.is_empty() {
        members.insert(EXTENDS.to_owned(), file.extends.clone().into());
    }
    let selection = serde_json::to_value(&file.selection).unwrap_or_default();
    if let Value::Object(selection) = selection {
        let own = selection.into_iter().filter(|(name, _)| name != PROFILE);
        members.extend(own.filter_map(|(name, value)| Some((snake_case(&name), in_toml(value)?))));
    }
    let text = toml::to_string(&members).unwrap_or_default();
    format!("{SCHEMA_LINE}{schema}\n{text}")
}

/// A JSON value in TOML, members in snake case; TOML has no `null`.
fn in_toml(value: Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => number.as_i64()?.into(),
        Value::String(text) => text.into(),
        Value::Array(items) => toml::Value::Array(items.into_iter().filter_map(in_toml).collect()),
        Value::Object(members) => {
            let members = members.into_iter();
            let members =
                members.filter_map(|(name, value)| Some((snake_case(&name), in_toml(value)?)));
            toml::Value::Table(members.collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ProfileFile, LoadoutError> {
        parse(Path::new("/p/review.toml"), text)
    }

    #[test]
    fn a_profile_is_the_field_in_toml() {
        let file = read(
            "#:schema x\ndescription = \"d\"\nextends = [\"a\", \"b\"]\nmode = \"restrict\"\nhost_servers = \"drop\"\n\
             plugins = [\"p@m\", { id = \"q\", mcp_servers = [] }]\nskills = [\n  \"s\",\n  { name = \"t\", list = \"name\" },\n]\n\
             [[mcp_servers]]\nname = \"n\"\ntools = [\"x\"]\n",
        )
        .unwrap();
        let selection = r#"{"mode":"restrict","hostServers":"drop","plugins":["p@m",{"id":"q","mcpServers":[]}],"skills":["s",{"name":"t","list":"name"}],"mcpServers":[{"name":"n","tools":["x"]}]}"#;
        assert_eq!(
            file.selection,
            CapabilitySelection::from_json(selection).unwrap()
        );
        assert_eq!(file.description.as_deref(), Some("d"));
        assert_eq!(file.extends, ["a", "b"]);
        assert_eq!(file.line_of_extended(1), 3);
        let names: Vec<(String, usize)> = file.names();
        let names: Vec<(&str, usize)> = names.iter().map(|(name, at)| (&**name, *at)).collect();
        assert_eq!(names, [("p@m", 6), ("q", 6), ("s", 8), ("t", 9), ("n", 11)]);
        let printed = print("x", &file);
        assert!(printed.starts_with("#:schema x\n"), "{printed}");
        let again = read(&printed).unwrap();
        assert_eq!(
            (again.selection, again.extends),
            (file.selection, file.extends)
        );
        // As the contract spells it.
        assert!(read("hostServers = \"drop\"").is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_member() {
        for (text, line, member, meant) in [
            (
                "mode = \"replace\"\nskils = []\n",
                2,
                "skils",
                Some("skills"),
            ),
            ("mcpServers = []\n", 1, "mcpServers", Some("mcp_servers")),
            ("profile = \"a\"\n", 1, "profile", Some("extends")),
            ("\nmode = \"restrct\"\n", 2, "mode", Some("restrict")),
            ("hooks = true\n", 1, "hooks", None),
            ("skills = [\n\"a\",\n5,\n]\n", 3, "skills[1]", None),
            (
                "[[plugins]]\nid = \"p\"\nskill = []\n",
                3,
                "plugins[0].skill",
                Some("skills"),
            ),
            (
                "[[plugins]]\nid = \"p\"\nmcp_servers = 5\n",
                3,
                "plugins[0].mcp_servers",
                None,
            ),
            ("extends = 5\n", 1, "extends", None),
            ("description = []\n", 1, "description", None),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidSelection);
            let begin = format!("`/p/review.toml`, line {line}: ");
            assert!(error.message.starts_with(&begin), "{text}: {error}");
            assert_eq!(error.items[0].name, member, "{text}: {error}");
            let first = error.items[0].did_you_mean.first().map(String::as_str);
            assert_eq!(first, meant, "{text}: {error}");
        }
        let error = read("mode = \"replace\"\nskills = [\n").unwrap_err();
        assert!(error.message.contains("review.toml`, line "), "{error}");
        assert!(error.hint.contains("schema profile"));
    }

    #[test]
    fn names_are_those_of_files() {
        assert!(
            ["a", "review-2", "A.b_c"]
                .iter()
                .all(|name| is_profile_name(name))
        );
        for name in ["", ".", "..", ".a", "a/b", "a b", "a,b", &"a".repeat(65)] {
            assert!(!is_profile_name(name), "{name}");
        }
    }
}
