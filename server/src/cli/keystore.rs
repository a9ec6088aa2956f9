//! `ringhold keystore`: makes keystores, and says what is in them and whether a node could use them.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use ringhold_ring::MemberAddress;

use super::{Failure, output, password};
use crate::clock::Clock;
use crate::security::keystore::{Format, Passwords};
use crate::security::material::TlsFiles;
use crate::security::secret::{Secret, SecretSource};
use crate::security::tools::{self, Create, DEFAULT_DAYS, MAX_DAYS, Purpose, ToolError};

/// The commands under `ringhold keystore`.
#[derive(Debug, Subcommand)]
pub enum KeystoreCommand {
    /// Make a new key and certificate, in a new file.
    Create(CreateArgs),
    /// Show what a keystore holds.
    List(ListArgs),
    /// Load a keystore as a node would, and say what will go wrong.
    Check(CheckArgs),
}

/// Arguments of `ringhold keystore create`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("purpose").required(true).args(["shared", "authority", "hosts"]))]
pub struct CreateArgs {
    /// The new file; it must not exist
    file: PathBuf,
    /// One keystore for every node of a ring: a self-signed certificate, CN=*
    #[arg(long)]
    shared: bool,
    /// A private authority, to sign the keystores of nodes and clients with
    #[arg(long)]
    authority: bool,
    /// A node or client of this host name or address; repeat it for further names
    #[arg(id = "hosts", long = "host", value_name = "NAME", requires = "signed_by")]
    hosts: Vec<String>,
    /// The authority's keystore, for --host
    #[arg(long, value_name = "FILE", requires = "hosts")]
    signed_by: Option<PathBuf>,
    /// What opens --signed-by: a file, or - for a line of stdin
    #[arg(long, value_name = "FILE", requires = "signed_by")]
    signed_by_password_file: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordArgs,
    /// How the file is written [default: pem when its name ends in .pem, else pkcs12]
    #[arg(long, value_name = "FORMAT")]
    format: Option<NewFormat>,
    /// How many days the certificate is valid
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    days: u32,
}

/// Arguments of `ringhold keystore list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The keystore: JKS, PKCS#12 or PEM
    file: PathBuf,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Arguments of `ringhold keystore check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The keystore: JKS, PKCS#12 or PEM
    file: PathBuf,
    #[command(flatten)]
    password: PasswordArgs,
    /// What opens the private key, when that is another password: a file, or - for a line of stdin
    #[arg(long, value_name = "FILE")]
    alias_password_file: Option<PathBuf>,
    /// Which private key, when there are several
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// The truststore [default: the keystore]
    #[arg(long, value_name = "FILE")]
    truststore: Option<PathBuf>,
    /// What opens the truststore: a file, or - for a line of stdin [default: what opens the keystore]
    #[arg(long, value_name = "FILE", requires = "truststore")]
    truststore_password_file: Option<PathBuf>,
    /// The member that is to use it
    #[arg(long, value_name = "HOST:PORT")]
    member: Option<MemberAddress>,
    /// End with exit code 1 on a warning
    #[arg(long)]
    strict: bool,
}

/// What opens a keystore.
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// What opens the keystore: a file, or - for a line of stdin [default: the RINGHOLD_KEYSTORE_PASSWORD_FILE
    /// variable, or RINGHOLD_KEYSTORE_PASSWORD with the password itself]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What is written; JKS is only read.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum NewFormat {
    Pkcs12,
    Pem,
}

impl PasswordArgs {
    fn read(&self) -> Result<Option<Secret>, Failure> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let file = self.password_file.clone();
        let file = file.or_else(|| variable("RINGHOLD_KEYSTORE_PASSWORD_FILE").map(PathBuf::from));
        password::read(file.as_deref(), || variable("RINGHOLD_KEYSTORE_PASSWORD"))
    }
}

/// Carries it out.
pub fn run(command: KeystoreCommand) -> Result<(), Failure> {
    match command {
        KeystoreCommand::Create(args) => create(args),
        KeystoreCommand::List(args) => list(&args),
        KeystoreCommand::Check(args) => check(args),
    }
}

fn create(args: CreateArgs) -> Result<(), Failure> {
    let password = args.password.read()?;
    let purpose = match args.signed_by {
        Some(authority) => {
            let store = password::read(args.signed_by_password_file.as_deref(), || None)?;
            Purpose::Node { names: args.hosts, authority, passwords: Passwords { store, key: None } }
        }
        None if args.authority => Purpose::Authority,
        None => Purpose::Shared,
    };
    let is_pem = args.file.extension().is_some_and(|extension| extension == "pem");
    let format = match args.format {
        Some(NewFormat::Pem) => Format::Pem,
        None if is_pem => Format::Pem,
        None if args.file.extension().is_some_and(|extension| extension == "jks") => Format::Jks,
        Some(NewFormat::Pkcs12) | None => Format::Pkcs12,
    };
    let wanted = Create { path: args.file, format, password, purpose, days: args.days };
    output::print(tools::keystore_create(&wanted, Clock::system().wall())?)
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let passwords = Passwords { store: args.password.read()?, key: None };
    let listed = tools::keystore_list(&args.file, &passwords);
    output::print(listed.map_err(|error| Failure::general(error.to_string()))?)
}

fn check(args: CheckArgs) -> Result<(), Failure> {
    let read = |file: Option<PathBuf>| -> Result<_, Failure> {
        Ok(password::read(file.as_deref(), || None)?.map(SecretSource::Inline))
    };
    let files = TlsFiles {
        keystore: args.file,
        keystore_password: args.password.read()?.map(SecretSource::Inline),
        key_password: read(args.alias_password_file)?,
        key_alias: args.alias,
        truststore: args.truststore,
        truststore_password: read(args.truststore_password_file)?,
    };
    let report = tools::keystore_check(&files, args.member.as_ref(), Clock::system().wall());
    let report = report.map_err(|error| Failure::general(error.to_string()))?;
    output::print(report.text)?;
    for warning in &report.warnings {
        output::warn(warning);
    }
    match report.warnings.len() {
        1.. if args.strict => Err(Failure::general("there are warnings, and --strict is given")),
        _ => Ok(()),
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        let message = match &error {
            ToolError::NoPassword => format!("{error}: give --password-file"),
            error => error.to_string(),
        };
        match error {
            ToolError::JksIsOld
            | ToolError::NoPassword
            | ToolError::Days(_)
            | ToolError::NoNames
            | ToolError::BadName(_) => Self::usage(message),
            _ => Self::general(message),
        }
    }
}
