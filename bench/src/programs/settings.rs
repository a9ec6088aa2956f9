//! The settings of every program, exactly as it gets them; the report shows them from here.

use std::net::SocketAddr;
use std::path::Path;

use crate::identity::{HOST, Identity};
use crate::process::Cores;

/// As many threads or workers as cores.
fn workers(cores: Cores) -> usize {
    if cores == Cores::Any {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        1
    }
}

/// `store.max_object_bytes` without a setting.
const DEFAULT_OBJECT_BYTES: u64 = 2 << 20;

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// `node.address`, where members and, without `plain`, clients reach it.
    pub me: SocketAddr,
    /// `cluster.members`
    pub members: Vec<SocketAddr>,
    /// `cluster.replicas`
    pub replicas: usize,
    /// Who it is over TLS on its own address, and another address that is plain.
    pub secured: Option<(Identity, SocketAddr)>,
    /// `store.max_bytes`: by default so much that it never has to evict.
    pub max_bytes: u64,
    /// What else differs, as whole lines of a section.
    pub more: &'static str,
}

impl Node {
    /// A node of a ring of `members`, plain.
    pub fn of(me: SocketAddr, members: &[SocketAddr]) -> Self {
        Self { me, members: members.into(), replicas: 1, secured: None, max_bytes: 4 << 30, more: "" }
    }

    /// Where clients reach it without TLS.
    pub fn plain(&self) -> SocketAddr {
        self.secured.as_ref().map_or(self.me, |(_, plain)| *plain)
    }

    /// Its configuration: a quiet log, and what is said here.
    pub fn toml(&self) -> String {
        let Self { me, members, replicas, secured, max_bytes, more } = self;
        let members: Vec<_> = members.iter().map(|member| format!("\"{member}\"")).collect();
        let copies = if *replicas == 1 { String::new() } else { format!("replicas = {replicas}\n") };
        // No object may be larger than the store.
        let small = if *max_bytes < DEFAULT_OBJECT_BYTES {
            format!("max_object_bytes = {max_bytes}\n")
        } else {
            String::new()
        };
        let tls = secured.as_ref().map(|(identity, plain)| {
            format!(
                "\n[[listener]]\naddress = \"{me}\"\ntls = true\n\n[[listener]]\naddress = \"{plain}\"\ntls = false\n\n\
                 [tls]\nkeystore = {:?}\ntruststore = {:?}\n",
                identity.both(),
                identity.authority()
            )
        });
        format!(
            "[node]\naddress = \"{me}\"\n\n[cluster]\nmembers = [{}]\n{copies}\n[store]\nmax_bytes = {max_bytes}\n{small}\n\
             [log]\nfilter = \"warn\"\n{}{more}",
            members.join(", "),
            tls.unwrap_or_default()
        )
    }
}

/// nginx with this in its section `http`.
pub fn nginx(http: &str, cores: Cores) -> String {
    // With one worker there is no need of a process that watches it.
    let master = if cores == Cores::Any { "on" } else { "off" };
    let workers = workers(cores);
    format!(
        "daemon off;\nmaster_process {master};\nworker_processes {workers};\npid nginx.pid;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 1h;\n  \
         http2_max_requests 1000000000;\n  client_max_body_size 8m;\n{http}}}\n"
    )
}

/// nginx's side of mTLS, for a server.
fn nginx_server_tls(identity: &Identity) -> String {
    format!(
        "    ssl_certificate {};\n    ssl_certificate_key {};\n    ssl_client_certificate {};\n    \
         ssl_verify_client on;\n    ssl_protocols TLSv1.2 TLSv1.3;\n",
        identity.certificate().display(),
        identity.key().display(),
        identity.authority().display()
    )
}

/// A constant of 100 bytes, with `protocol` behind the address.
pub fn nginx_constant(address: SocketAddr, protocol: &str, identity: Option<&Identity>) -> String {
    let body = "v".repeat(100);
    let (ssl, tls) = identity.map_or(("", String::new()), |identity| (" ssl", nginx_server_tls(identity)));
    format!(
        "  server {{\n    listen {address}{ssl}{protocol};\n{tls}    location / {{\n      \
         default_type application/octet-stream;\n      return 200 \"{body}\";\n    }}\n  }}\n"
    )
}

/// A reverse proxy that keeps its connections.
pub fn nginx_forwarder(address: SocketAddr, node: SocketAddr, identity: Option<&Identity>) -> String {
    let (scheme, tls) = identity.map_or(("http", String::new()), |identity| {
        let tls = format!(
            "      proxy_ssl_certificate {};\n      proxy_ssl_certificate_key {};\n      \
             proxy_ssl_trusted_certificate {};\n      proxy_ssl_verify on;\n      proxy_ssl_name {HOST};\n      \
             proxy_ssl_protocols TLSv1.2 TLSv1.3;\n",
            identity.certificate().display(),
            identity.key().display(),
            identity.authority().display()
        );
        ("https", tls)
    });
    format!(
        "  upstream node {{\n    server {node};\n    keepalive 256;\n    keepalive_requests 1000000000;\n    \
         keepalive_timeout 1h;\n  }}\n  server {{\n    listen {address};\n    location / {{\n      \
         proxy_pass {scheme}://node;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n{tls}      \
         proxy_buffers 16 16k;\n      proxy_max_temp_file_size 0;\n    }}\n  }}\n"
    )
}

/// The same by HAProxy, over HTTP/2 to the node.
pub fn haproxy(address: SocketAddr, node: SocketAddr, identity: Option<&Identity>, cores: Cores) -> String {
    let workers = workers(cores);
    let to = identity.map_or_else(
        || "proto h2".into(),
        |identity| {
            format!(
                "ssl crt {} ca-file {} verify required alpn h2",
                identity.both().display(),
                identity.authority().display()
            )
        },
    );
    format!(
        "global\n  nbthread {workers}\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  \
         timeout client 1h\n  timeout server 1h\n  http-reuse always\nfrontend front\n  bind {address}\n  \
         default_backend node\nbackend node\n  server node {node} {to}\n"
    )
}

/// In memory alone.
pub const REDIS: &[&str] = &["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];

/// webdis before a Redis.
pub fn webdis(address: SocketAddr, redis: SocketAddr, home: &Path) -> String {
    serde_json::json!({
        "redis_host": redis.ip().to_string(),
        "redis_port": redis.port(),
        "http_host": address.ip().to_string(),
        "http_port": address.port(),
        "threads": 2,
        "pool_size": 20,
        "daemonize": false,
        "websockets": false,
        "acl": [{ "disabled": [] }],
        "http_max_request_size": 8 << 20,
        "verbosity": 0,
        "logfile": home.join("webdis.log"),
    })
    .to_string()
}

/// memcached with room for everything.
pub fn memcached(cores: Cores) -> Vec<String> {
    let text = format!("-l 127.0.0.1 -U 0 -t {} -m 4096 -c 4096 -u root", workers(cores));
    text.split(' ').map(Into::into).collect()
}

/// etcd alone, with its data in `home`.
pub fn etcd(address: SocketAddr, peer: SocketAddr, home: &Path) -> Vec<String> {
    let text = format!(
        "--name bench --listen-client-urls http://{address} --advertise-client-urls http://{address} \
         --listen-peer-urls http://{peer} --initial-advertise-peer-urls http://{peer} \
         --initial-cluster bench=http://{peer} --log-level error --data-dir {}",
        home.join("data").display()
    );
    text.split(' ').map(Into::into).collect()
}

/// All of them, for the report.
pub fn all() -> Vec<(String, String)> {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let [a, b, plain] = [9001, 9002, 9003].map(address);
    let (cores, files) = (Cores::Only(0), Identity::example());
    let node = Node::of(a, &[a, b]);
    let secured = Node { secured: Some((files.clone(), plain)), ..node.clone() };
    let texts = [
        ("ringhold serve --config ring.toml (a ring of two; one node has one member)", node.toml()),
        ("ringhold serve --config ring.toml, mTLS", secured.toml()),
        (
            "nginx -c nginx.conf (`listen ADDRESS http2` for HTTP/2)",
            nginx(&nginx_constant(a, "", None), cores),
        ),
        ("nginx -c nginx.conf, mTLS", nginx(&nginx_constant(a, "", Some(&files)), cores)),
        ("nginx -c nginx.conf as a forwarder", nginx(&nginx_forwarder(a, b, None), cores)),
        ("nginx -c nginx.conf as a forwarder over mTLS", nginx(&nginx_forwarder(a, b, Some(&files)), cores)),
        ("haproxy -db -f haproxy.cfg", haproxy(a, b, None, cores)),
        ("haproxy -db -f haproxy.cfg, over mTLS", haproxy(a, b, Some(&files), cores)),
        ("redis-server", format!("{REDIS:?}")),
        ("webdis webdis.json", webdis(a, b, Path::new("."))),
        ("memcached", memcached(cores).join(" ")),
        ("etcd", etcd(a, b, Path::new(".")).join(" ")),
    ];
    texts.map(|(program, text)| (program.to_owned(), text)).into()
}
