//! Where the server is, who asks, and how answers are printed: flags over the environment over the file of profiles.

use std::{fmt, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{
    address::Address, command::Cli, failure::Failure, given, output::Form, profiles::Profiles,
};

/// Where the server is if nobody says.
const ADDRESS: &str = "127.0.0.1:7878";
/// The header of API keys that the server looks at by default.
const API_KEY_HEADER: &str = "x-api-key";
/// Longest wait for an answer.
const TIMEOUT_SECS: u64 = 30;

/// What one source says; each of them may leave out anything.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Layer {
    pub(crate) address: Option<String>,
    pub(crate) collection: Option<String>,
    pub(crate) timeout_secs: Option<u64>,
    pub(crate) metrics: Option<String>,
    pub(crate) output: Option<Form>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) api_key: Option<String>,
    pub(crate) api_key_file: Option<PathBuf>,
    pub(crate) api_key_header: Option<String>,
    pub(crate) tls: Option<bool>,
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) tls_server_name: Option<String>,
}

/// Everything that is settled before the server is asked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) address: Address,
    /// None if nobody names one.
    pub(crate) collection: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) metrics: Option<String>,
    pub(crate) output: Form,
    pub(crate) credentials: Credentials,
    pub(crate) tls: Tls,
    /// The folder of the configuration file, where a history can be.
    pub(crate) folder: Option<PathBuf>,
}

/// Who asks.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) token: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) api_key_header: String,
}

/// Whom to trust, and what to show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    pub(crate) ca: Option<PathBuf>,
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    pub(crate) server_name: Option<String>,
}

/// Secrets are not for logs.
impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |secret: &Option<String>| secret.as_ref().map(|_| "(secret)");
        out.debug_struct("Credentials")
            .field("token", &told(&self.token))
            .field("api_key", &told(&self.api_key))
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Puts the layers over each other.
    pub(crate) fn of(cli: &Cli, env: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let env = |name: &str| env(name).filter(|text| !text.is_empty());
        let flags = &cli.flags;
        let named = flags.config.clone().or_else(|| env("AMATERS_CLI_CONFIG").map(PathBuf::from));
        let profiles = Profiles::read(named, &env)?;
        let name = flags.profile.clone().or_else(|| env("AMATERS_PROFILE"));
        let folder = profiles.folder.clone();
        let flags = Layer { output: cli.output, ..flags.layer() };
        let layer = flags.over(Layer::of_environment(&env)?).over(profiles.layer(name.as_deref())?);
        layer.settled(folder)
    }
}

impl Layer {
    fn of_environment(env: &impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let path = |name: &str| env(name).map(PathBuf::from);
        let wrong = |name: &str, text: &str, what: &str| {
            Failure::usage(format!("{name}={text} in the environment: must be {what}"))
        };
        let timeout_secs = match env("AMATERS_TIMEOUT_SECS") {
            None => None,
            Some(text) => {
                let secs = text.parse();
                Some(secs.map_err(|_| wrong("AMATERS_TIMEOUT_SECS", &text, "a number of seconds"))?)
            }
        };
        let output = match env("AMATERS_OUTPUT") {
            None => None,
            Some(text) => {
                let form = clap::ValueEnum::from_str(&text, true);
                Some(form.map_err(|_| wrong("AMATERS_OUTPUT", &text, "table, json or yaml"))?)
            }
        };
        Ok(Self {
            address: env("AMATERS_ADDRESS"),
            collection: env("AMATERS_COLLECTION"),
            timeout_secs,
            metrics: env("AMATERS_METRICS"),
            output,
            token: env("AMATERS_TOKEN"),
            token_file: path("AMATERS_TOKEN_FILE"),
            api_key: env("AMATERS_API_KEY"),
            api_key_file: path("AMATERS_API_KEY_FILE"),
            api_key_header: env("AMATERS_API_KEY_HEADER"),
            tls: None,
            tls_ca: path("AMATERS_TLS_CA"),
            tls_cert: path("AMATERS_TLS_CERT"),
            tls_key: path("AMATERS_TLS_KEY"),
            tls_server_name: env("AMATERS_TLS_SERVER_NAME"),
        })
    }

    /// This layer where it says something, the lower one elsewhere. A secret and the file of that secret are one thing, and
    /// so are a certificate and its key.
    pub(crate) fn over(self, lower: Self) -> Self {
        let (token, token_file) =
            pair((self.token, self.token_file), (lower.token, lower.token_file));
        let (api_key, api_key_file) =
            pair((self.api_key, self.api_key_file), (lower.api_key, lower.api_key_file));
        let (tls_cert, tls_key) =
            pair((self.tls_cert, self.tls_key), (lower.tls_cert, lower.tls_key));
        // A server that is named above is not the one whose metrics are named below.
        let metrics =
            if self.address.is_some() { self.metrics } else { self.metrics.or(lower.metrics) };
        Self {
            address: self.address.or(lower.address),
            collection: self.collection.or(lower.collection),
            timeout_secs: self.timeout_secs.or(lower.timeout_secs),
            metrics,
            output: self.output.or(lower.output),
            token,
            token_file,
            api_key,
            api_key_file,
            api_key_header: self.api_key_header.or(lower.api_key_header),
            tls: self.tls.or(lower.tls),
            tls_ca: self.tls_ca.or(lower.tls_ca),
            tls_cert,
            tls_key,
            tls_server_name: self.tls_server_name.or(lower.tls_server_name),
        }
    }

    fn settled(self, folder: Option<PathBuf>) -> Result<Settings, Failure> {
        let identity = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(Failure::usage("a client certificate needs --tls-key too"));
            }
            (None, Some(_)) => return Err(Failure::usage("--tls-key needs --tls-cert too")),
        };
        let tls = Tls { ca: self.tls_ca, identity, server_name: self.tls_server_name };
        let wanted = self.tls.unwrap_or(false)
            || tls.ca.is_some()
            || tls.identity.is_some()
            || tls.server_name.is_some();
        let address = Address::read(self.address.as_deref().unwrap_or(ADDRESS), wanted)?;
        let timeout_secs = self.timeout_secs.unwrap_or(TIMEOUT_SECS);
        if !(1..=86_400).contains(&timeout_secs) {
            let text = format!("a timeout of {timeout_secs} s: must be from 1 to 86400");
            return Err(Failure::usage(text));
        }
        let credentials = Credentials {
            token: secret("token", self.token, self.token_file)?,
            api_key: secret("API key", self.api_key, self.api_key_file)?,
            api_key_header: self.api_key_header.unwrap_or_else(|| API_KEY_HEADER.into()),
        };
        Ok(Settings {
            address,
            collection: self.collection,
            timeout: Duration::from_secs(timeout_secs),
            metrics: self.metrics,
            output: self.output.unwrap_or(Form::Table),
            credentials,
            tls,
            folder,
        })
    }
}

/// Two settings of which the upper layer says at least one, or those of the lower layer.
fn pair<A, B>(
    upper: (Option<A>, Option<B>),
    lower: (Option<A>, Option<B>),
) -> (Option<A>, Option<B>) {
    if upper.0.is_some() || upper.1.is_some() { upper } else { lower }
}

/// A secret of one line. Errors do not show it.
fn secret(
    what: &str,
    given: Option<String>,
    path: Option<PathBuf>,
) -> Result<Option<String>, Failure> {
    let text = match (given, path) {
        (Some(_), Some(path)) => {
            let text =
                format!("there are two of the {what}: one given, and one in {}", path.display());
            return Err(Failure::usage(text));
        }
        (Some(text), None) => text,
        (None, Some(path)) => String::from_utf8(given::file(&path)?)
            .map_err(|_| Failure::usage(format!("the {what} in {} is no text", path.display())))?,
        (None, None) => return Ok(None),
    };
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = format!("the {what} must be one word of printable ASCII characters");
        return Err(Failure::usage(text));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs};

    use clap::Parser as _;

    use super::*;

    fn settled(words: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
        let env: HashMap<_, _> = env.iter().copied().collect();
        let words = format!("amaters-cli {words} stats");
        let cli = Cli::parse_from(words.split_ascii_whitespace());
        Settings::of(&cli, |name| env.get(name).map(|text| (*text).to_owned()))
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn flags_lie_over_the_environment_over_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cli.toml");
        let text = "[defaults]\ncollection = \"all\"\n[profiles.a]\naddress = \"a:1\"\ncollection = \"of-a\"\ntoken_file = \"t\"\n\
                    timeout_secs = 7\n[profiles.b]\naddress = \"https://b:2\"\n";
        fs::write(&path, text).unwrap();
        fs::write(folder.path().join("t"), "secret-token\n").unwrap();
        let path = path.to_str().unwrap();
        let env = [("AMATERS_CLI_CONFIG", path)];
        let settings = settled("--profile a", &env).unwrap();
        assert_eq!(settings.address.to_string(), "http://a:1");
        assert_eq!((settings.collection.as_deref(), settings.timeout.as_secs()), (Some("of-a"), 7));
        assert_eq!(settings.credentials.token.as_deref(), Some("secret-token"));
        assert!(!format!("{settings:?}").contains("secret-token"));

        let env = [env[0], ("AMATERS_PROFILE", "b"), ("AMATERS_TOKEN", "mine")];
        let settings = settled("", &env).unwrap();
        assert_eq!(settings.address.to_string(), "https://b:2");
        assert_eq!(settings.collection.as_deref(), Some("all"));
        assert_eq!(settings.credentials.token.as_deref(), Some("mine"));
        let settings = settled("--address c:3 --profile a --token flag", &env).unwrap();
        assert_eq!(settings.address.to_string(), "http://c:3");
        assert_eq!(settings.credentials.token.as_deref(), Some("flag"));

        let settings = settled("", &[]).unwrap();
        assert_eq!(settings.address.to_string(), "http://127.0.0.1:7878");
        assert_eq!(settings.output, Form::Table);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (words, env, why) in [
            ("--timeout 0", None, "a timeout of 0 s"),
            ("--tls-cert c", None, "needs --tls-key"),
            ("--tls-key k", None, "needs --tls-cert"),
            ("--config /no/such/file", None, "/no/such/file"),
            ("", Some(("AMATERS_OUTPUT", "xml")), "AMATERS_OUTPUT=xml"),
            ("", Some(("AMATERS_TIMEOUT_SECS", "soon")), "AMATERS_TIMEOUT_SECS=soon"),
            ("--address http://a:1 --tls", None, "begins with http://"),
        ] {
            let env: Vec<_> = env.into_iter().collect();
            let text = settled(words, &env).unwrap_err();
            assert!(text.contains(why), "{words}: {text}");
        }
    }

    #[test]
    fn a_wrong_secret_is_not_shown() {
        let text = settled("", &[("AMATERS_TOKEN", "hunter2 hunter3")]).unwrap_err();
        assert!(!text.contains("hunter"), "{text}");
        // Quoted once more, as toml and others would.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cli.toml");
        for text in ["token = \"hunter2", "api_key = [\"hunter2\"]", "token = hunter2"] {
            fs::write(&path, format!("[defaults]\n{text}\n")).unwrap();
            let told = settled(&format!("--config {}", path.display()), &[]).unwrap_err();
            assert!(told.contains("cli.toml line 2") && !told.contains("hunter"), "{told}");
        }
    }
}
