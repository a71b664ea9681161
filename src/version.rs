//! `version`: what this program is, and with `--verbose` what it is made of.

use std::process::ExitCode;

/// Components that an operator may be asked about.
const COMPONENTS: [&str; 7] =
    ["amaters-shards", "amaters-proto", "glommio-ng", "h2", "prost", "rustix", "mimalloc"];

/// Prints the version.
pub(crate) fn run(verbose: bool) -> ExitCode {
    println!("amaters-server {}", env!("CARGO_PKG_VERSION"));
    if verbose {
        print!("{}", details());
    }
    ExitCode::SUCCESS
}

fn details() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let (machine, system) = (std::env::consts::ARCH, std::env::consts::OS);
    let superblock = crate::directory::superblock::VERSION;
    let (commit, compiler) = (env!("AMATERS_COMMIT"), env!("AMATERS_RUSTC"));
    let features = if cfg!(feature = "count-allocations") { "count-allocations" } else { "none" };
    let mut text = format!(
        "commit: {commit}\nrustc: {compiler}\nbuild profile: {profile}\ntarget: {machine}-{system}\n\
         features: {features}\nsuperblock format: {superblock}\n"
    );
    let lock = include_str!("../Cargo.lock");
    for name in COMPONENTS {
        let version = locked(lock, name).unwrap_or("unknown");
        text.push_str(&format!("{name}: {version}\n"));
    }
    text
}

/// The version of a package in `Cargo.lock`.
fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, package) = lock.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
    package.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_a_version() {
        let text = details();
        for name in COMPONENTS {
            assert!(text.contains(&format!("\n{name}: ")), "{text}");
            assert!(!text.contains(&format!("\n{name}: unknown")), "{text}");
        }
        assert!(text.contains("\nrustc: rustc 1."), "{text}");
        assert!(text.contains(concat!("amaters-shards: ", env!("CARGO_PKG_VERSION"))));
    }
}
