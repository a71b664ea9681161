//! Whether the files of TLS make credentials, as a start would find.

use crate::{
    config::{Config, Problem},
    tls::{self, LoadError, Loaded, TlsSettings},
};

/// What is wrong with them, under the key that names the file; otherwise the credentials.
pub(crate) fn check(config: &Config) -> Result<Option<Loaded>, Problem> {
    let Some(settings) = &config.tls else { return Ok(None) };
    let loaded = tls::read(settings).and_then(|contents| tls::load(&contents, settings, None));
    match loaded {
        Ok(loaded) => Ok(Some(loaded)),
        Err(error) => Err(problem(config, settings, &error)),
    }
}

/// An error of a file, under the key that names it.
pub(crate) fn problem(config: &Config, settings: &TlsSettings, error: &LoadError) -> Problem {
    Problem::of_key(&config.written, key_of(settings, error), error.to_string())
}

/// The key that names the file at fault.
fn key_of(settings: &TlsSettings, error: &LoadError) -> &'static str {
    let client = settings.client.as_ref();
    let authorities = client.and_then(|client| client.authorities.as_ref());
    let revocations = client.and_then(|client| client.revocations.as_ref());
    match &error.path {
        path if *path == settings.certificate => "network.tls_cert",
        path if *path == settings.key => "network.tls_key",
        path if Some(path) == authorities => "network.tls_ca",
        path if Some(path) == revocations => "auth.mtls.crl_path",
        _ => "auth.mtls.ca_certs_dir",
    }
}
