//! Files of authentication that are wrong: refused at the start and by `validate-config`, all that is wrong at once.

use serde_json::json;

use super::site::{api_key, write_config};
use crate::harness::{Folder, refusal};

const AUTHZ: &str = "roles_file = \"roles.toml\"\npolicies_file = \"policies.toml\"";

#[test]
fn everything_that_is_wrong_with_the_files_is_told_at_once_and_nothing_is_made() {
    let folder = Folder::new();
    let mut twice = api_key("b", &["user"]);
    twice["id"] = json!("a");
    folder.write("keys.json", &json!([api_key("a", &["user"]), twice]).to_string());
    folder.write("roles.toml", "[[roles]]\nname = \"x\"\ninherits = [\"y\"]\n[[roles]]\nname = \"y\"\ninherits = [\"x\"]\n");
    write_config(&folder, "", AUTHZ);
    folder.write("policies.toml", "");
    let expected = [
        "authz.roles_file = \"roles.toml\" (a.toml line ",
        "roles inherit from each other in a circle: x -> y -> x",
        "auth.api_key.keys_file = \"keys.json\" (a.toml line ",
        "entry 1: entry 0 has the same id \"a\"",
    ];
    for words in ["start --config a.toml --bind 127.0.0.1:0", "validate-config --config a.toml"] {
        let told = refusal(folder.command(words));
        for text in expected {
            assert!(told.contains(text), "{text} in\n{told}");
        }
        assert!(
            told.lines().all(|line| line.starts_with("Configuration validation failed: ")),
            "{told}"
        );
    }
    assert!(!folder.path().join("data").exists());

    folder.write("keys.json", &json!([api_key("a", &["ghost"])]).to_string());
    folder.write("roles.toml", "");
    folder.write(
        "policies.toml",
        "[[policies]]\nname = \"p\"\neffect = \"deny\"\nactions = [\"fly\"]\n",
    );
    let told = refusal(folder.command("validate-config --config a.toml"));
    assert!(told.contains("policies[0] \"p\": actions: unknown action \"fly\""), "{told}");
    folder.write("policies.toml", "");
    let told = refusal(folder.command("validate-config --config a.toml"));
    assert!(
        told.contains("entry 0: unknown role \"ghost\"; there are admin, reader, user"),
        "{told}"
    );
    folder.write("keys.json", &json!([api_key("a", &["user"])]).to_string());
    assert!(folder.run("validate-config --config a.toml").status.success());
}

#[test]
fn a_secret_that_is_too_short_is_refused_and_never_shown() {
    let folder = Folder::new();
    let config = |secret: &str| {
        let text = format!(
            "[auth]\nenabled = true\nmethods = [\"jwt\"]\n[auth.jwt]\nenabled = true\n{secret}"
        );
        folder.config("", &text);
    };
    config("secret = \"hunter2 hunter2\"");
    let told = refusal(folder.command("validate-config --config a.toml"));
    assert!(told.contains("auth.jwt.secret = (secret) (a.toml line "), "{told}");
    assert!(told.contains("the secret has 15 bytes; HS256 needs 32 or more"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");

    folder.write("secret", "0123456789abcdef0123456789abcdef\n");
    config("secret_file = \"secret\"");
    assert!(folder.run("validate-config --config a.toml").status.success());
    config("");
    let told = refusal(folder.command("validate-config --config a.toml"));
    assert!(told.contains("needs auth.jwt.secret, AMATERS_JWT_SECRET"), "{told}");
    let mut command = folder.command("validate-config --config a.toml --show");
    command.env("AMATERS_JWT_SECRET", "0123456789abcdef0123456789abcdef");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("0123456789abcdef"));
    config("secret_file = \"secret\"\nsecret = \"0123456789abcdef0123456789abcdef\"");
    let told = refusal(folder.command("validate-config --config a.toml"));
    assert!(told.contains("auth.jwt.secret is set too"), "{told}");
}

#[test]
fn what_has_no_effect_and_what_is_a_risk_is_told_at_the_start() {
    let folder = Folder::new();
    folder.write("keys.json", &json!([api_key("a", &["user"])]).to_string());
    let text = "[auth]\nenabled = true\nmethods = [\"api_key\"]\n[auth.jwt]\nenabled = true\n\
                [auth.api_key]\nenabled = true\nkeys_file = \"keys.json\"\n\
                [authz]\nanonymous_role = \"reader\"\n";
    folder.config("", text);
    let server = folder.serve();
    for expected in [
        "because auth.methods does not list jwt: auth.jwt.enabled",
        "because auth.reject_unauthenticated is true: authz.anonymous_role",
        "auth.api_key.keys_file: 1 entries hold the key itself, the first of them entry 0",
    ] {
        assert!(server.first_lines().iter().any(|line| line.contains(expected)), "{expected}");
    }
    let told = folder.run("validate-config --config a.toml");
    assert!(String::from_utf8_lossy(&told.stderr).contains("1 entries hold the key itself"));
}
