//! What holds for all of `security`: nothing that is shown holds a secret.

use std::fmt::Debug;

use super::access::{Access, AddressList, BearerTokens, Scope, TokenDigest, TrustedProxies};
use super::automatic::{self, Authority, AutomaticTls, NodeNames};
use super::keystore::{Format, Keystore, Passwords};
use super::material::{SecretSources, TlsFiles};
use super::reload::Watcher;
use super::secret::{Secret, SecretSource};
use super::shared_secret::{SharedSecrets, generate_secret};
use super::stream::{StreamKeys, Transcript};
use super::testing::{Workshop, now};
use super::tls::Options;
use super::token::{DEFAULT_SKEW, TokenSigner, TokenVerifier};
use super::tools::{Create, DEFAULT_DAYS, Purpose, keystore_check, keystore_create, keystore_list};
use crate::clock::Clock;

const PASSWORD: &str = "store-password-7421";
const BEARER: &str = "bearer-token-9013";

/// Everything that is secret here, in every form in which `Debug` or an error could show it.
struct Forbidden(Vec<String>);

impl Forbidden {
    fn add(&mut self, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let decimal: Vec<_> = bytes.iter().take(8).map(ToString::to_string).collect();
        self.0.extend([hex, decimal.join(", ")]);
        self.0.extend(std::str::from_utf8(bytes).ok().map(str::to_owned));
    }

    #[track_caller]
    fn absent_from(&self, shown: &str) {
        for secret in &self.0 {
            assert!(!shown.contains(secret.as_str()), "{secret} in {shown}");
        }
    }

    #[track_caller]
    fn absent_from_debug(&self, value: &dyn Debug) {
        self.absent_from(&format!("{value:?}"));
        self.absent_from(&format!("{value:#?}").replace(char::is_whitespace, " ").replace("  ", ""));
    }
}

#[test]
fn no_debug_output_holds_a_secret_and_no_report_either() {
    let shop = Workshop::new();
    let clock = Clock::manual(now());
    let text = generate_secret().unwrap();
    let secrets = SharedSecrets::new(&text, &[]).unwrap();
    let mut forbidden = Forbidden(Vec::new());
    forbidden.add(PASSWORD.as_bytes());
    forbidden.add(BEARER.as_bytes());
    forbidden.add(text.expose().as_bytes());
    forbidden.add(secrets.signing().key(&[b"member token"]).as_slice());
    forbidden.add(secrets.signing().key(&[b"member stream"]).as_slice());
    forbidden.add(secrets.signing().key(&[b"automatic tls authority p-256", &[0]]).as_slice());

    let create = Create {
        path: shop.path("s.p12"),
        format: Format::Pkcs12,
        password: Some(PASSWORD.into()),
        purpose: Purpose::Shared,
        days: DEFAULT_DAYS,
    };
    forbidden.absent_from(&keystore_create(&create, now()).unwrap());
    let passwords = Passwords::one(PASSWORD);
    let store = Keystore::open(&shop.path("s.p12"), &passwords).unwrap();
    let (identity, key) = store.identity_and_key(None, &passwords, now()).unwrap();
    forbidden.add(key.secret_der());
    let scalar = &key.secret_der()[36..68];
    forbidden.add(scalar);

    let files = TlsFiles {
        keystore: shop.path("s.p12"),
        keystore_password: Some(SecretSource::Inline(PASSWORD.into())),
        ..TlsFiles::default()
    };
    let sources = SecretSources {
        signing: SecretSource::Inline(text.clone()),
        accepted: vec![SecretSource::Inline(text.clone())],
    };
    let names = NodeNames::new(&["10.0.0.1:9999".parse().unwrap()]).unwrap();
    let node =
        AutomaticTls::start(secrets.clone(), names.clone(), Options::default(), clock.clone()).unwrap();
    let transcript = Transcript::new(b"a", b"b", b"");
    let tokens = vec![("app".to_owned(), TokenDigest::of(BEARER), Scope::ReadOnly)];
    let access = Access {
        addresses: AddressList::All,
        members: std::collections::HashSet::new(),
        proxies: TrustedProxies::none(),
        methods: vec![Box::new(BearerTokens::new(tokens).unwrap())],
    };
    let member = || "10.0.0.1:9999".parse().unwrap();
    let shown: [&dyn Debug; 18] = [
        &Secret::from(PASSWORD),
        &passwords,
        &create,
        &store,
        &identity,
        &files,
        &files.load(now()).unwrap(),
        &sources,
        &secrets,
        &Authority::derive(secrets.signing(), now()).unwrap(),
        &automatic::material(&secrets, &names, now()).unwrap(),
        &node,
        &node.tls().current(),
        &StreamKeys::opener(&secrets, transcript),
        &StreamKeys::opener(&secrets, transcript).frames(),
        &TokenSigner::new(&secrets, member()),
        &TokenVerifier::new(&secrets, member(), DEFAULT_SKEW, now()),
        &access,
    ];
    shown.into_iter().for_each(|value| forbidden.absent_from_debug(value));
    forbidden.absent_from(&keystore_list(&shop.path("s.p12"), &passwords).unwrap());
    forbidden.absent_from_debug(&keystore_check(&files, None, now()).unwrap());
    forbidden.absent_from_debug(&Watcher::new(Vec::new(), clock));
}
