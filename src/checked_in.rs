//! Files of this repository that are made from the code.

use std::{env, fs, path::Path};

/// Compares a checked-in file with what the code says; `AMATERS_WRITE_DOCS=1` writes it.
pub(crate) fn assert_checked_in(path: &str, expected: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let present = fs::read_to_string(&path).unwrap_or_default();
    let expected = expected(&present);
    if env::var_os("AMATERS_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            present == expected,
            "{} is not what the code says; AMATERS_WRITE_DOCS=1 writes it",
            path.display()
        );
    }
}
