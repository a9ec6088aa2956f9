//! The command line itself: what it takes, what it refuses, and that its page tells the same.

use clap::{Command as Clap, CommandFactory as _, Parser as _};

use super::{Cli, Command};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn commands_take_their_options_before_and_after_their_arguments() {
    for line in [
        "ringhold get k -o file --range 0-9",
        "ringhold get --range -9 k",
        "ringhold --node a:1 --node http://b:2 get k --timeout 500ms",
        "ringhold put k file --ttl 60 --content-type text/plain --if-absent --json",
        "ringhold put k - --if-match 0123456789abcdef01234567",
        "ringhold delete k --if-match \"0123456789abcdef01234567\"",
        "ringhold patch k --kind merge {}",
        "ringhold patch k --kind rate-limit @file --ttl 5",
        "ringhold patch k --kind counter --add -1",
        "ringhold patch k --kind set --add a --add b --remove c --json",
        "ringhold locate k --json",
        "ringhold status --node a:1",
        "ringhold encode-key k",
        "ringhold config check file --set a.b=c",
        "ringhold keystore create ring.p12 --shared --password-file -",
        "ringhold keystore create n.pem --host a --host 10.0.0.1 --signed-by ca.p12 --format pem --days 30",
        "ringhold keystore list ring.p12",
        "ringhold keystore check ring.p12 --truststore t --alias a --member a:1 --strict",
        "ringhold secret generate -o file",
        "ringhold status --node https://a:1 --keystore k --keystore-password-file p --key-alias a",
        "ringhold --cacert ca.pem get k --cert c.pem --key k.pem --token-file t",
        "ringhold put k - --secret-file s",
        "ringhold completions zsh",
        "ringhold serve --config file --set a.b=c --set d.e=f",
        "ringhold cluster --nodes 5 --replicas 3",
        "ringhold get k --max-stale",
        "ringhold patch k {} --kind merge --idempotency-key order-17",
        "ringhold delete k --if-match 0123456789abcdef01234567 --idempotency-key order-18",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_what_would() {
    for (line, hint) in [
        ("ringhold get", "<KEY>"),
        ("ringhold get k --range 9-1", "behind its end"),
        ("ringhold put k --ttl 0", "from 1 to 2147483647"),
        ("ringhold put k --if-match x", "24 hexadecimal digits"),
        ("ringhold put k --if-match 0123456789abcdef01234567 --if-absent", "cannot be used with"),
        ("ringhold get k --node ftp://a:1", "https://"),
        ("ringhold get k --insecure", "--insecure"),
        ("ringhold keystore create r.p12", "--shared"),
        ("ringhold keystore create r.p12 --shared --password hunter2", "--password"),
        ("ringhold get k --timeout 0", "1ms"),
        ("ringhold patch k --kind merge", "<DOCUMENT>"),
        ("ringhold patch k --kind merge {} --add 1", "cannot be used with"),
        ("ringhold patch k {}", "--kind"),
        ("ringhold patch k --kind magic {}", "rate-limit"),
        ("ringhold cluster --nodes 0", "1..=64"),
        ("ringhold put k --idempotency-key a\u{e9}", "1 to 255 visible"),
        ("ringhold cluster --host elsewhere", "IPv4"),
        ("ringhold gett k", "get"),
    ] {
        let error = parse(line).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(hint), "{line}: {error}");
    }
    let long = format!("ringhold get {}", "k".repeat(1025));
    assert!(parse(&long).unwrap_err().to_string().contains("1 to 1024 bytes"));
}

#[test]
fn a_key_may_look_like_an_option_behind_two_dashes() {
    let Ok(Cli { command: Command::Get(_), .. }) = parse("ringhold get -- --key") else {
        panic!("not understood")
    };
}

/// Every command that does something, with its name as it is typed.
fn leaves(command: &Clap, name: &str) -> Vec<(String, Clap)> {
    let below: Vec<_> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    if below.is_empty() {
        return vec![(name.to_owned(), command.clone())];
    }
    below.into_iter().flat_map(|below| leaves(below, &format!("{name} {}", below.get_name()))).collect()
}

const PAGE: &str = include_str!("../../../docs/cli.md");

#[test]
fn the_page_has_a_section_for_every_command_and_for_no_other() {
    let documented: Vec<_> = PAGE.lines().filter_map(|line| line.strip_prefix("## ringhold ")).collect();
    let defined: Vec<_> =
        leaves(&Cli::command(), "").into_iter().map(|(name, _)| name.trim().to_owned()).collect();
    assert_eq!(documented, defined);
}

#[test]
fn every_section_of_the_page_names_every_option_and_has_an_example() {
    for (name, command) in leaves(&Cli::command(), "ringhold") {
        let section = PAGE.split("\n## ").find(|section| section.lines().next() == Some(&name)).unwrap();
        assert!(
            section.contains(&format!("```sh\n{name} ")) || section.contains(&format!("```sh\n{name}\n")),
            "{name}: no synopsis"
        );
        assert!(section.contains("\nExample"), "{name}: no example");
        let options = command
            .get_arguments()
            .filter(|option| !option.is_hide_set())
            .filter_map(|option| option.get_long());
        for option in options.filter(|option| !["help", "version"].contains(option)) {
            assert!(section.contains(&format!("--{option}")), "{name}: --{option} is not documented");
        }
    }
}

#[test]
fn the_page_has_the_exit_codes_of_the_help() {
    for line in super::exit::HELP.lines().skip(1) {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        assert!(PAGE.contains(&format!("| {code} | {meaning} |")), "{line}");
    }
}
