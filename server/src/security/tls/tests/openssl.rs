//! `openssl s_client` at a listener of ours: what another TLS library is given, and what it is refused.

use std::process::{Command, Stdio};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// Accepts connections, one after the other, and tells how each handshake ended.
async fn listen(node: Arc<Tls>) -> (u16, mpsc::Receiver<Result<(), String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, ended) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let accepted = node.acceptor().accept(stream).await;
            let told = accepted.map(drop).map_err(|error| explain_io(&error));
            if sender.send(told).await.is_err() {
                break;
            }
        }
    });
    (port, ended)
}

/// What `openssl s_client` says when it connects with these arguments.
async fn s_client(shop: &Workshop, port: u16, arguments: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-CAfile", "c.pem"]);
    command.args(arguments.split_whitespace()).stdin(Stdio::null()).current_dir(shop.path(""));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn openssl_is_served_and_refused_as_documented() {
    let shop = Workshop::new();
    shop.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=*");
    shop.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 30 -subj /CN=*",
    );
    shop.write("all.pem", [shop.bytes("k.pem"), shop.bytes("c.pem")].concat());
    let store = shop.open("all.pem", &Passwords::default()).unwrap();
    let identity = store.identity(None, &Passwords::default(), now()).unwrap();
    let node = Arc::new(tls(&identity, &store.trust().unwrap()));
    let (port, mut ended) = listen(node).await;
    let ours = "-cert c.pem -key k.pem";

    for (version, shown) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let said = s_client(&shop, port, &format!("{ours} {version} -alpn h2")).await;
        assert!(said.contains("ALPN protocol: h2") && said.contains(shown), "{said}");
        assert_eq!(ended.recv().await.unwrap(), Ok(()), "{said}");
    }
    for (arguments, reason) in [
        (format!("{ours} -tls1_1 -cipher DEFAULT@SECLEVEL=0"), "no common TLS version"),
        (format!("{ours} -tls1_2 -cipher AES128-SHA256"), "no common TLS version"),
        ("-tls1_3".into(), "showed no certificate"),
        ("-tls1_2".into(), "showed no certificate"),
        ("-cert other.pem -key other.key".into(), "is trusted neither by itself nor by its issuer"),
    ] {
        let said = s_client(&shop, port, &arguments).await;
        let told = ended.recv().await.unwrap().unwrap_err();
        assert!(told.contains(reason), "{arguments}: {told}\n{said}");
        // A TLS 1.3 client is done before the server has looked at its certificate, and may be gone.
        let is_1_2 = arguments.contains("-tls1_1") || arguments.contains("-tls1_2");
        assert!(!is_1_2 || said.contains("alert"), "the other side is told too: {said}");
    }
}
