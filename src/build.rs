//! What `version --verbose` says of this build: the commit and the compiler.

use std::{env, process::Command};

fn main() {
    // Packages that are built without a repository name the commit in AMATERS_COMMIT.
    println!("cargo::rerun-if-env-changed=AMATERS_COMMIT");
    println!("cargo::rerun-if-changed=src/build.rs");
    let given = env::var("AMATERS_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| {
        // The log of HEAD grows with every commit and every checkout.
        for name in ["HEAD", "logs/HEAD"] {
            if let Some(path) = said("git", &["rev-parse", "--git-path", name]) {
                println!("cargo::rerun-if-changed={path}");
            }
        }
        said("git", &["rev-parse", "--short=12", "HEAD"])
    });
    println!("cargo::rustc-env=AMATERS_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = said(&rustc, &["--version"]);
    println!("cargo::rustc-env=AMATERS_RUSTC={}", compiler.as_deref().unwrap_or("unknown"));
}

/// The one line that a command says, if it succeeds.
fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.trim().to_owned();
    (output.status.success() && !line.is_empty() && !line.contains('\n')).then_some(line)
}
