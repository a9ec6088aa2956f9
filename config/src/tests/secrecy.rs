//! No mistake, however a secret came into it, makes a message or an output that shows the secret.

use super::{load, load_toml, load_yaml, wrong, wrong_override};
use crate::SecretSource;

#[test]
fn wrong_values_are_told_without_showing_what_may_be_a_secret() {
    let secret = "a secret is text in quotes, of 1 to 4096 bytes";
    let mask = "that is what is printed in place of a secret: write the secret itself";
    let digest = "of its sha256, it is 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them";
    let tokens = "it is a list of at most 256 tables, each [[auth.tokens]] with name, sha256 and scope; it stands in a \
                  configuration file";
    let range = "is neither an address nor a range; write 10.0.0.1, 10.0.0.0/8, ::1 or fd00::/8 (names are not looked \
                 up)";
    let token = |sha256: &str| format!("[{{ name = \"a\", sha256 = \"{sha256}\", scope = \"read-only\" }}]");
    let (good, hunter) = (token(&"a".repeat(64)), token("hunter2"));
    let twice = format!("[{0}, {0}]", good.trim_matches(['[', ']']));
    let table: &[(&str, &str, &str, &str)] = &[
        ("auth.shared_secret", "12345678", "***", secret),
        ("auth.shared_secret", "\"\"", "***", secret),
        ("auth.shared_secret", "true", "***", secret),
        ("auth.shared_secret", "[\"hunter2\"]", "a list", secret),
        ("auth.shared_secret", "\"***\"", "***", mask),
        ("tls.keystore_password", "{ hunter2 = 1 }", "a table", secret),
        ("auth.accept_secrets", "\"hunter2\"", "***", "it is a list of at most 4 secrets"),
        ("auth.accept_secrets", "[\"hunter2\", 5]", "a list", secret),
        (
            "auth.accept_secrets_files",
            "[\"1\",\"2\",\"3\",\"4\",\"5\"]",
            "a list",
            "it is a list of at most 4 paths",
        ),
        ("auth.shared_secret_file", "\"\"", "\"\"", "it is the path of a file"),
        ("auth.clock_skew", "\"500ms\"", "\"500ms\"", "it is a duration from 1s to 10m"),
        ("auth.clock_skew", "\"11m\"", "\"11m\"", "it is a duration from 1s to 10m"),
        ("auth.tokens", "\"hunter2\"", "***", tokens),
        ("auth.tokens", "[5]", "a list", "number 1 is wrong: it is a table with name, sha256 and scope"),
        ("auth.tokens", "[{ name = \"a\" }]", "a list", "number 1 is wrong: it has no sha256"),
        (
            "auth.tokens",
            "[{ token = \"a\" }]",
            "a list",
            "number 1 is wrong: token is not one of name, sha256 and scope",
        ),
        ("auth.tokens", &hunter, "a list", &format!("number 1 is wrong: {digest}")),
        ("auth.tokens", &twice, "a list", "two are named \"a\": give each a name of its own"),
        (
            "auth.tokens",
            &good.replace("read-only", "all"),
            "a list",
            "number 1 is wrong: of its scope, it is \"read-only\" or \"read-write\"",
        ),
        ("tls.keystore", "5", "5", "it is the path of a file"),
        ("tls.key_alias", "\"\"", "\"\"", "it is an alias of 1 to 256 bytes, in quotes"),
        ("tls.client_auth", "\"need\"", "\"need\"", "it is \"required\" or \"optional\" or \"none\""),
        ("tls.auto", "\"yes\"", "\"yes\"", "it is true or false"),
        ("access.allow", "[\"host.example\"]", "a list", &format!("\"host.example\" {range}")),
        (
            "access.allow",
            "[\"10.0.0.1/8\"]",
            "a list",
            "\"10.0.0.1/8\" has bits set beyond its length; the range is 10.0.0.0/8",
        ),
        ("access.trusted_proxies", "[1]", "a list", "each of them is text in quotes, like \"10.0.0.0/8\""),
        (
            "access.allow",
            "\"10.0.0.1\"",
            "\"10.0.0.1\"",
            "it is a list of at most 4096 addresses and ranges like 10.0.0.1, 10.0.0.0/8 or fd00::/8",
        ),
        (
            "access.forwarded_header",
            "\"via\"",
            "\"via\"",
            "it is \"none\" or \"x-forwarded-for\" or \"forwarded\"",
        ),
    ];
    for (key, value, given, right) in table {
        let (section, name) = key.split_once('.').unwrap();
        let message = wrong(&format!("[{section}]\n{name} = {value}\n"));
        assert_eq!(message, format!("ring.toml: {key} is {given}; {right}"));
    }
    let long = wrong(&format!("[access]\nallow = [\"{}\"]\n", "x".repeat(10_000)));
    assert!(long.len() < 400, "{long}");
    let many = vec!["\"::1\""; 4097].join(",");
    assert!(wrong(&format!("[access]\nallow = [{many}]\n")).contains("at most 4096 addresses"));
    assert_eq!(
        wrong("auth = \"hunter2\"\n"),
        "ring.toml: auth is ***; it is a section, with settings like auth.shared_secret"
    );
}

#[test]
fn the_command_line_is_no_place_for_secrets() {
    let right = "everyone on this machine can read the command line: write it in a file";
    for key in ["tls.keystore_password", "auth.shared_secret", "auth.accept_secrets"] {
        assert_eq!(wrong_override(&format!("{key}=hunter2")), format!("--set: {key} is ***; {right}"));
    }
    let config = load(None, &[], &["auth.shared_secret_file=ring.secret"]).unwrap();
    assert_eq!(config.auth.shared_secret, Some(SecretSource::File("ring.secret".into())));
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    const HIDDEN: [&str; 2] = ["hunter2", "00c0ffee"];
    let hides = |what: &str, text: &str| {
        for hidden in HIDDEN {
            assert!(!text.contains(hidden), "{what}: {text}");
        }
    };
    let all = format!(
        "[tls]\nkeystore = \"k\"\nkeystore_password = \"hunter2-a\"\nkey_password = \"hunter2-b\"\ntruststore = \"t\"\n\
         truststore_password = \"hunter2-c\"\n[auth]\nshared_secret = \"hunter2-d\"\naccept_secrets = [\"hunter2-e\"]\n\
         tokens = [{{ name = \"app\", sha256 = \"{}\", scope = \"read-only\" }}]\n",
        "00c0ffee".repeat(8)
    );
    let config = load_toml(&all).unwrap();
    hides("Debug", &format!("{config:?}{config:#?}"));
    let printed = config.to_toml();
    hides("printed", &printed);
    assert_eq!(printed.matches("\"***\"").count(), 6, "{printed}");

    let variables = [("RINGHOLD_AUTH__SHARED_SECRET".to_owned(), "hunter2".to_owned())];
    let overrides = ["auth.shared_secret=hunter2".to_owned()];
    let sources = crate::Sources { file: None, environment: variables, overrides: &overrides };
    hides("Debug of the sources", &format!("{sources:?}"));

    // Every way to get such a file wrong: each line broken, doubled, misspelt, of another kind, in another section.
    let mut mistakes = 0;
    for (index, line) in all.lines().enumerate() {
        let broken = [
            line.replace(" = ", " "),
            line.replace('"', ""),
            line.replacen('"', "", 1),
            format!("{line}\n{line}"),
            line.replace('_', ""),
            format!("{}]", line.replace(" = ", " = [")),
            format!("[log]\n{line}"),
            format!("[access]\n{line}"),
            line.replace(" = ", ".x = "),
            line.replace("\"hunter2", "\"\\hunter2"),
        ];
        for broken in broken {
            let lines =
                all.lines().enumerate().map(|(other, text)| if other == index { &broken } else { text });
            let text = lines.collect::<Vec<_>>().join("\n");
            if let Err(error) = load_toml(&text) {
                hides(&text, &format!("{error}{error:?}"));
                mistakes += 1;
            }
        }
    }
    assert!(mistakes > 60, "{mistakes}");
    for text in [
        "auth:\n  shared_secret: \"hunter2\n",
        "auth:\n  shared_secret: hunter2: x\n",
        "auth:\n  shared_secret: *hunter2\n",
        "auth:\n  shared_secret: !!int hunter2\n",
        "auth:\n  shared_secret: [hunter2]\n",
        "auth:\n  tokens: hunter2\n",
        "auth: hunter2\n",
        "auth:\n- hunter2\n",
        "hunter2",
        "- hunter2\n",
        "auth:\n\tshared_secret: hunter2\n",
    ] {
        let error = load_yaml(text).expect_err(text);
        hides(text, &format!("{error}{error:?}"));
    }
    for text in
        ["auth.shared_secret hunter2", "hunter2", "auth.shared_secret:hunter2", "auth.shared_secert=hunter2"]
    {
        hides(text, &wrong_override(text));
    }
    for (name, value) in [
        ("RINGHOLD_AUTH__SHARED_SECRETS", "hunter2"),
        ("RINGHOLD_AUTH__TOKENS", "hunter2"),
        ("RINGHOLD_AUTH__ACCEPT_SECRETS", "hunter2,,hunter2,hunter2,hunter2"),
        ("RINGHOLD_AUTH", "hunter2"),
    ] {
        hides(name, &load(None, &[(name, value)], &[]).unwrap_err().to_string());
    }
}
