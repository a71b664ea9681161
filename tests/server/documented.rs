//! The commands of the tutorial and of the how-to pages do what the pages say.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::harness::{Folder, NOBODY};

/// Where pages say that the server is.
const ADDRESS: &str = "127.0.0.1:7878";

/// An empty folder of an ordinary user with both programs, and an address that is free.
struct Place {
    folder: Folder,
    programs: PathBuf,
    address: String,
}

impl Place {
    fn new() -> Self {
        let folder = Folder::of_ordinary_user();
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        let all = [
            ("amaters-server", env!("CARGO_BIN_EXE_amaters-server")),
            ("amaters-cli", env!("CARGO_BIN_EXE_amaters-cli")),
        ];
        for (name, program) in all {
            let copy = programs.join(name);
            fs::copy(program, &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { folder, programs, address: free.to_string() }
    }

    /// Runs what a page says in a folder below; standard output and error together, as on a terminal.
    fn shell(&self, script: &str) -> (Option<i32>, String) {
        let work = self.folder.path().join("work");
        if !work.exists() {
            fs::create_dir(&work).unwrap();
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(&work, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args([
            "-e",
            "-c",
            &format!("exec 2>&1\n{}", script.replace(ADDRESS, &self.address)),
        ]);
        command.current_dir(&work).stdin(Stdio::null()).env_clear();
        command.env("PATH", path).env("HOME", &work).env("AMATERS_ADDRESS", &self.address);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).replace(&self.address, ADDRESS);
        (output.status.code(), text)
    }
}

impl Drop for Place {
    /// A page that failed may have left a server.
    fn drop(&mut self) {
        for name in ["data", "copy"] {
            self.shell(&format!(
                "amaters-server stop --data-dir {name} --timeout 1 --force || true"
            ));
        }
    }
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// The blocks of a page behind a line, without what they are indented by.
fn blocks(page: &str, begin: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim_start() == begin {
            let indent = line.len() - line.trim_start().len();
            let block = lines.by_ref().take_while(|line| line.trim_start() != "```");
            let block: Vec<_> = block.map(|line| line.get(indent..).unwrap_or_default()).collect();
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// Blocks of commands that are marked by a line before them.
fn marked(page: &str) -> Vec<String> {
    let joined = page.replace("<!-- test -->\n", "<!-- test -->");
    let marked = joined.lines().map(|line| match line.split_once("<!-- test -->") {
        Some((indent, _)) => format!("{indent}<!-- test -->"),
        None => line.to_owned(),
    });
    blocks(&marked.collect::<Vec<_>>().join("\n"), "<!-- test -->")
}

#[test]
fn the_how_to_pages_can_be_followed() {
    let mut followed = 0;
    let mut pages: Vec<_> =
        fs::read_dir(docs().join("how-to")).unwrap().map(|page| page.unwrap().path()).collect();
    pages.sort();
    for page in pages {
        let place = Place::new();
        for block in marked(&fs::read_to_string(&page).unwrap()) {
            let (status, text) = place.shell(&block);
            assert_eq!(status, Some(0), "{}:\n{block}\n{text}", page.display());
            followed += 1;
        }
    }
    assert!(followed >= 6, "{followed}");
}

#[test]
fn the_tutorial_shows_what_is_seen() {
    let page = fs::read_to_string(docs().join("tutorial/first-values.md")).unwrap();
    let place = Place::new();
    let mut seen = 0;
    for block in blocks(&page, "```console") {
        for (command, expected) in steps(&block) {
            let (_, text) = place.shell(&command);
            assert!(is_like(&expected, &text), "$ {command}\n{text}\nand not\n{expected}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// Commands, each with what is to be seen.
fn steps(block: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, expected))) => {
                expected.push_str(line);
                expected.push('\n');
            }
            (None, None) => panic!("{line:?} stands before any command"),
        }
    }
    steps
}

/// Line by line, with `…` for anything. A value has no line end, which a terminal adds.
fn is_like(expected: &str, text: &str) -> bool {
    let (expected, text): (Vec<_>, Vec<_>) = (expected.lines().collect(), text.lines().collect());
    expected.len() == text.len()
        && expected.iter().zip(text).all(|(expected, line)| is_line_like(expected, line))
}

fn is_line_like(expected: &str, line: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_anything() {
    assert!(
        is_line_like("a … c … e", "a b c d e") && is_line_like("…", "") && is_line_like("a", "a")
    );
    assert!(
        !is_line_like("a … c", "a b d") && !is_line_like("a", "ab") && !is_line_like("a…", "b")
    );
}
