//! What was written, and where: the values of all layers, each over the one before.
//!
//! ```text
//! defaults  <  TOML file  <  environment  <  flags
//! ```
//!
//! A value that is here is of its key's kind and in its range, and a key that is here is known;
//! what keys mean together is for [`super::rules`].

use std::{collections::BTreeMap, fmt, path::PathBuf};

use toml::{
    Table, Value,
    de::{DeTable, DeValue},
};

use super::{
    file::File,
    keys::{self, KEYS, Key},
    refusal::Problem,
    suggestion,
};

/// Unknown keys of one file for which the nearest known one is looked for.
const SUGGESTIONS_MAX: usize = 100;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody wrote it.
    Default,
    /// A line of the configuration file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// A variable of the environment.
    Environment(&'static str),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value outside the file, as text.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The key it is for.
    pub(crate) key: &'static str,
    /// The value as it was given.
    pub(crate) text: String,
    /// The variable or flag.
    pub(crate) origin: Origin,
}

/// One value and its place.
#[derive(Clone, PartialEq)]
pub(crate) struct Entry {
    /// Of its key's kind, in its range.
    pub(crate) value: Value,
    /// The topmost layer that wrote it.
    pub(crate) origin: Origin,
}

/// The values of all keys that have one.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Written {
    entries: BTreeMap<&'static str, Entry>,
}

impl fmt::Debug for Assignment {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = shown(self.key, &Value::String(self.text.clone()));
        write!(f, "{} = {text} ({})", self.key, self.origin)
    }
}

impl fmt::Debug for Written {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |(path, entry): (&&'static str, &Entry)| {
            (*path, format!("{} ({})", shown(path, &entry.value), entry.origin))
        };
        f.debug_map().entries(self.entries.iter().map(told)).finish()
    }
}

/// The layers put over each other, and everything that is wrong with single values.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// What is right; a key whose value is wrong has what the layer below says.
    pub(crate) written: Written,
    /// What is wrong.
    pub(crate) problems: Vec<Problem>,
    /// Keys of those; they say nothing about others.
    pub(crate) wrong: Vec<&'static str>,
    /// Keys that do not exist.
    pub(crate) unknown: Vec<Problem>,
    /// There is a file, and it could not be read: nothing is known of what it says.
    pub(crate) is_unread: bool,
}

impl Gathered {
    /// Reads the layers over the defaults.
    pub(crate) fn new(file: Option<&File>, above: &[Assignment]) -> Self {
        let mut gathered = Self::default();
        for key in KEYS {
            if let Some(value) = key.default_value() {
                let entry = Entry { value, origin: Origin::Default };
                gathered.written.entries.insert(key.path, entry);
            }
        }
        match file.map(File::parse) {
            None => {}
            Some(Ok(table)) => gathered.take_table(file.expect("it was parsed"), "", &table),
            Some(Err(mistakes)) => {
                gathered.problems.extend(mistakes);
                gathered.is_unread = true;
            }
        }
        for Assignment { key, text, origin } in above {
            let key = keys::find(key).expect("layers above the file name known keys");
            gathered.take(key, key.value_of(text), origin.clone());
        }
        gathered
    }

    fn take_table(&mut self, file: &File, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let origin = file.origin(name.span().start);
            let dot = if above.is_empty() { "" } else { "." };
            let path = format!("{above}{dot}{}", name.get_ref());
            match (keys::find(&path), value.get_ref()) {
                (Some(key), value) => self.take(key, owned(value), origin),
                (None, DeValue::Table(inner)) if keys::is_table(&path) => {
                    self.take_table(file, &path, inner);
                }
                (None, _) if keys::is_table(&path) => {
                    self.problems.push(Problem::not_a_table(&path, &origin));
                }
                (None, _) => {
                    let is_asked = self.unknown.len() < SUGGESTIONS_MAX;
                    let meant = is_asked.then(|| suggestion::nearest(&path)).flatten();
                    self.unknown.push(Problem::unknown(&path, &origin, meant));
                }
            }
        }
    }

    fn take(&mut self, key: &'static Key, value: Value, origin: Origin) {
        match key.check(value.clone()) {
            Ok(value) => {
                self.written.entries.insert(key.path, Entry { value, origin });
            }
            Err(bound) => {
                self.wrong.push(key.path);
                self.problems.push(Problem::of_value(key, &Entry { value, origin }, &bound));
            }
        }
    }
}

impl Written {
    /// The value of a key, if it has one.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// The value of a key that is text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.entry(path)?.value.as_str()
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, path: &str) -> bool {
        self.entry(path).is_some_and(|entry| entry.value == Value::Boolean(true))
    }

    /// The value of a key, as it may be shown to people.
    pub(crate) fn shown(&self, path: &str) -> String {
        self.entry(path).map_or_else(|| "(unset)".into(), |entry| shown(path, &entry.value))
    }

    /// Whether some layer wrote the key.
    pub(crate) fn is_written(&self, path: &str) -> bool {
        self.entry(path).is_some_and(|entry| entry.origin != Origin::Default)
    }

    /// Takes the entry of `path` from `other`, whatever it is there.
    pub(crate) fn adopt(&mut self, path: &'static str, other: &Self) {
        match other.entry(path) {
            Some(entry) => self.entries.insert(path, entry.clone()),
            None => self.entries.remove(path),
        };
    }

    /// All values as nested tables.
    pub(crate) fn tables(&self) -> Table {
        let mut root = Table::new();
        for (path, entry) in &self.entries {
            let mut table = &mut root;
            let (tables, name) = path.rsplit_once('.').expect("every key stands in a table");
            for part in tables.split('.') {
                let inner = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
                table = inner.as_table_mut().expect("no key is also a table");
            }
            table.insert(name.to_owned(), entry.value.clone());
        }
        root
    }
}

/// A value as it may be shown to people.
pub(crate) fn shown(path: &str, value: &Value) -> String {
    let secret = keys::find(path).is_some_and(|key| key.secret);
    if secret { "(secret)".into() } else { value.to_string() }
}

fn owned(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(time) => Value::Datetime(*time),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            parsed.map_or_else(|_| Value::String(number.to_string()), Value::Integer)
        }
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| owned(item.get_ref())).collect())
        }
        DeValue::Table(table) => Value::Table(
            table
                .iter()
                .map(|(name, value)| (name.get_ref().to_string(), owned(value.get_ref())))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File::new("a.toml".into(), text.into())
    }

    fn flag(key: &'static str, text: &str) -> Assignment {
        Assignment { key, text: text.into(), origin: Origin::Flag("--x") }
    }

    fn gather(text: &str) -> Gathered {
        Gathered::new(Some(&file(text)), &[])
    }

    fn refused(text: &str) -> String {
        let Gathered { problems, unknown, .. } = gather(text);
        let lines: Vec<_> = problems.iter().chain(&unknown).map(ToString::to_string).collect();
        assert!(!lines.is_empty(), "{text}");
        lines.join("\n")
    }

    #[test]
    fn each_layer_lies_over_the_one_before() {
        let path = "logging.level";
        let nothing = Gathered::new(None, &[]).written;
        assert_eq!(nothing.entry(path).unwrap().origin, Origin::Default);
        assert!(!nothing.is_written(path));

        let toml = file("[server]\nmax_connections = 7\n\n[logging]\nlevel = \"Warn\"\n");
        let from_file = Gathered::new(Some(&toml), &[]).written;
        let entry = from_file.entry(path).unwrap();
        assert_eq!(entry.value, "warn".into());
        assert_eq!(entry.origin.to_string(), "a.toml line 5");

        let variable = Assignment {
            key: path,
            text: "error".into(),
            origin: Origin::Environment("AMATERS_LOG_LEVEL"),
        };
        let above = [variable, flag(path, "debug")];
        let both = Gathered::new(Some(&toml), &above[..1]).written;
        assert_eq!(both.shown(path), "\"error\"");
        let all = Gathered::new(Some(&toml), &above).written;
        assert_eq!(all.shown(path), "\"debug\"");
        assert_eq!(all.shown("server.max_connections"), "7");
    }

    #[test]
    fn an_unknown_key_is_named_with_file_line_and_the_nearest_known_one() {
        assert_eq!(
            refused("[server]\n\nbind_adress = \"127.0.0.1:1\"\n"),
            "Configuration validation failed: server.bind_adress (a.toml line 3): unknown key; \
             did you mean server.bind_address?"
        );
        assert!(refused("[sever]\nx = 1").contains("sever (a.toml line 1): unknown key"));
        assert!(refused("max_connections = 1").contains("did you mean server.max_connections?"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = refused("[server]\nmax_connections = 0\nnope = 1\n[logging]\nlevel = 3\n");
        assert_eq!(text.lines().count(), 3, "{text}");
        let wrong = gather("[server]\nmax_connections = 0\n").wrong;
        assert_eq!(wrong, ["server.max_connections"]);
        assert!(text.contains(
            "server.max_connections = 0 (a.toml line 2): must be a whole number from 1 to 1000000"
        ));
    }

    #[test]
    fn values_of_the_wrong_type_are_refused() {
        for text in [
            "[server]\nmax_connections = \"many\"",
            "[server]\nmax_connections = 1.5",
            "[server]\nmax_connections = 99999999999999999999",
            "[server]\nbind_address = \"localhost:7878\"",
            "[server]\ndata_dir = \"\"",
            "[network]\ntls_enabled = \"false\"",
            "[server]\ncores = \"3-1\"",
            "[auth]\nmethods = \"mtls\"",
        ] {
            assert!(refused(text).starts_with("Configuration validation failed: "), "{text}");
        }
        assert!(refused("server = 3").contains("server (a.toml line 1): is a table"));
    }

    #[test]
    fn text_that_is_not_toml_is_refused_with_its_line() {
        assert!(refused("[server]\nbind_address = \n").contains("a.toml line 2"));
    }

    #[test]
    fn other_writings_of_a_number_are_understood() {
        let written = gather("[server]\nmax_connections = 0x1_00").written;
        assert_eq!(written.shown("server.max_connections"), "256");
    }

    #[test]
    fn a_wrong_flag_is_named_as_one() {
        let told = &Gathered::new(None, &[flag("server.bind_address", "nowhere")]).problems[0];
        assert!(told.to_string().contains("server.bind_address = \"nowhere\" (flag --x)"));
    }

    #[test]
    fn secrets_are_never_shown() {
        let toml = file("[auth.jwt]\nsecret = \"hunter2\"");
        let written = Gathered::new(Some(&toml), &[]).written;
        assert_eq!(written.shown("auth.jwt.secret"), "(secret)");
        assert!(!refused("[auth.jwt]\nsecret = [\"hunter2\"]").contains("hunter2"));
        let assigned = [flag("auth.jwt.secret", "hunter3"), flag("server.cores", "3")];
        let gathered = Gathered::new(Some(&toml), &assigned);
        let debug = format!("{toml:?} {assigned:?} {gathered:?} {written:?}");
        assert!(!debug.contains("hunter"), "{debug}");
        assert!(debug.contains("server.cores") && debug.contains("(secret)"), "{debug}");
    }
}
