//! TLS: what is shown, how it is replaced while the server runs, and who is let in.

pub(crate) mod authority;
pub(crate) mod clients;
mod files;
mod mutual;
mod rotation;
mod serving;
mod storm;

use std::path::{Path, PathBuf};

use self::authority::Authority;
use crate::harness::{Folder, Server};

/// A folder with `server.crt` and `server.key`, and who signed them.
pub(crate) struct Site {
    folder: Folder,
    authority: Authority,
}

impl Site {
    /// With a configuration that serves them; `more` goes on in `[network]`.
    pub(crate) fn new(more: &str) -> Self {
        let site = Self { folder: Folder::new(), authority: Authority::new("Test Authority") };
        site.authority.server(1).write(site.path());
        site.config("", more);
        site
    }

    fn config(&self, server: &str, more: &str) {
        let network =
            "[network]\ntls_enabled = true\ntls_cert = \"server.crt\"\ntls_key = \"server.key\"\n";
        self.folder.config(server, &format!("[storage]\nengine = \"memory\"\n{network}{more}"));
    }

    /// The certificate of who signed them, as a file.
    pub(crate) fn write_authority(&self) -> PathBuf {
        self.folder.write("ca.crt", &self.authority.pem())
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn serve(&self) -> Server {
        self.folder.serve()
    }
}
