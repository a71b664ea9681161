//! The flags that every command takes: where the server is, who asks, and whom to trust.

use std::{fmt, path::PathBuf};

use clap::Args;

use super::{failure::Failure, settings::Layer};

/// Flags that every command takes.
#[derive(Clone, Default, PartialEq, Eq, Args)]
pub(crate) struct Flags {
    /// Take the settings of this profile of the configuration file.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Server")]
    pub(super) profile: Option<String>,
    /// Read this configuration file; by default ~/.config/amaters/cli.toml, if it is there.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Server")]
    pub(super) config: Option<PathBuf>,
    /// Where the server is: HOST:PORT, http://HOST:PORT, or https://HOST:PORT for TLS; by default 127.0.0.1:7878.
    #[arg(short, long, global = true, value_name = "ADDRESS", help_heading = "Server")]
    address: Option<String>,
    /// The collection, by default "default".
    #[arg(short, long, global = true, value_name = "NAME", help_heading = "Server")]
    collection: Option<String>,
    /// Wait so long for an answer, by default 30 s; scans, exports and imports have no such bound.
    #[arg(long, global = true, value_name = "SECONDS", help_heading = "Server")]
    timeout: Option<u64>,
    /// Where the server's metrics are, by default port 9090 of its host.
    #[arg(long, global = true, value_name = "URL", help_heading = "Server")]
    metrics: Option<String>,
    /// Send this token (JWT). Others may see it in the list of processes: better use --token-file.
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Credentials")]
    token: Option<String>,
    /// Send the token that is in this file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Credentials",
        conflicts_with = "token"
    )]
    token_file: Option<PathBuf>,
    /// Send this API key. Others may see it in the list of processes: better use --api-key-file.
    #[arg(long, global = true, value_name = "KEY", help_heading = "Credentials")]
    api_key: Option<String>,
    /// Send the API key that is in this file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Credentials",
        conflicts_with = "api_key"
    )]
    api_key_file: Option<PathBuf>,
    /// Send the API key in this header, by default x-api-key.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Credentials")]
    api_key_header: Option<String>,
    /// Use TLS, also where the address does not begin with https://.
    #[arg(long, global = true, help_heading = "TLS")]
    tls: bool,
    /// Trust the certificate authorities of this file (PEM) instead of those of the system.
    #[arg(long, global = true, value_name = "FILE", help_heading = "TLS")]
    tls_ca: Option<PathBuf>,
    /// Show this client certificate (PEM).
    #[arg(long, global = true, value_name = "FILE", help_heading = "TLS")]
    tls_cert: Option<PathBuf>,
    /// The private key of the client certificate (PEM).
    #[arg(long, global = true, value_name = "FILE", help_heading = "TLS")]
    tls_key: Option<PathBuf>,
    /// Expect the server's certificate to be for this name, instead of the host of the address.
    #[arg(long, global = true, value_name = "NAME", help_heading = "TLS")]
    tls_server_name: Option<String>,
}

impl fmt::Debug for Flags {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, config, address, .. } = self;
        let mut told = f.debug_struct("Flags");
        told.field("profile", profile).field("config", config).field("address", address);
        told.finish_non_exhaustive()
    }
}

impl Flags {
    /// What may be said for one command of a shell: the collection.
    pub(crate) fn of_one_command(&self) -> Result<Option<String>, Failure> {
        let rest = Self { collection: None, ..self.clone() };
        if rest != Self::default() {
            let text = "the server and who asks are settled when the shell begins; only --collection and --output may change";
            return Err(Failure::usage(text));
        }
        Ok(self.collection.clone())
    }

    /// What the flags say, as a layer over the others.
    pub(super) fn layer(&self) -> Layer {
        let Self { tls, timeout, .. } = self.clone();
        let flags = self.clone();
        Layer {
            address: flags.address,
            collection: flags.collection,
            timeout_secs: timeout,
            metrics: flags.metrics,
            output: None,
            token: flags.token,
            token_file: flags.token_file,
            api_key: flags.api_key,
            api_key_file: flags.api_key_file,
            api_key_header: flags.api_key_header,
            tls: tls.then_some(true),
            tls_ca: flags.tls_ca,
            tls_cert: flags.tls_cert,
            tls_key: flags.tls_key,
            tls_server_name: flags.tls_server_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_for_logs() {
        let secret = || Some("hunter2".to_owned());
        let flags = Flags { token: secret(), api_key: secret(), ..Flags::default() };
        assert!(!format!("{flags:?}").contains("hunter"), "{flags:?}");
    }
}
