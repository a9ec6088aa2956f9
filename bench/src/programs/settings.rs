//! The settings of every program, exactly as it gets them; the report shows them from here.

use std::net::SocketAddr;
use std::path::Path;

use crate::process::Cores;

/// As many threads or workers as cores.
fn workers(cores: Cores) -> usize {
    if cores == Cores::Any {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    } else {
        1
    }
}

/// One node: one copy of each object, as with what it is compared to, a store that never has to evict, and a quiet log.
pub fn ringhold(me: SocketAddr, members: &[SocketAddr]) -> String {
    let members: Vec<_> = members.iter().map(|member| format!("\"{member}\"")).collect();
    format!(
        "[node]\naddress = \"{me}\"\n\n[cluster]\nmembers = [{}]\nreplicas = 1\n\n[store]\nmax_bytes = \"4GiB\"\n\n\
         [log]\nfilter = \"warn\"\n",
        members.join(", ")
    )
}

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

pub fn nginx_constant(address: SocketAddr, protocol: &str) -> String {
    let body = "v".repeat(100);
    format!(
        "  server {{\n    listen {address}{protocol};\n    location / {{\n      \
         default_type application/octet-stream;\n      return 200 \"{body}\";\n    }}\n  }}\n"
    )
}

pub fn nginx_forwarder(address: SocketAddr, node: SocketAddr) -> String {
    format!(
        "  upstream node {{\n    server {node};\n    keepalive 256;\n    keepalive_requests 1000000000;\n    \
         keepalive_timeout 1h;\n  }}\n  server {{\n    listen {address};\n    location / {{\n      \
         proxy_pass http://node;\n      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n      \
         proxy_buffers 16 16k;\n      proxy_max_temp_file_size 0;\n    }}\n  }}\n"
    )
}

pub fn haproxy(address: SocketAddr, node: SocketAddr, cores: Cores) -> String {
    let workers = workers(cores);
    format!(
        "global\n  nbthread {workers}\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n  \
         timeout client 1h\n  timeout server 1h\n  http-reuse always\nfrontend front\n  bind {address}\n  \
         default_backend node\nbackend node\n  server node {node} proto h2\n"
    )
}

/// In memory alone.
pub const REDIS: &[&str] = &["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];

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

pub fn memcached(cores: Cores) -> Vec<String> {
    let text = format!("-l 127.0.0.1 -U 0 -t {} -m 4096 -c 4096 -u root", workers(cores));
    text.split(' ').map(Into::into).collect()
}

/// All of them, for the report.
pub fn all() -> Vec<(&'static str, String)> {
    let [a, b] = [SocketAddr::from(([127, 0, 0, 1], 9001)), SocketAddr::from(([127, 0, 0, 1], 9002))];
    let cores = Cores::Only(0);
    vec![
        ("ringhold serve --config ring.toml (a ring of two; one node has one member)", ringhold(a, &[a, b])),
        ("nginx -c nginx.conf (`listen ADDRESS http2` for HTTP/2)", nginx(&nginx_constant(a, ""), cores)),
        ("nginx -c nginx.conf as a forwarder", nginx(&nginx_forwarder(a, b), cores)),
        ("haproxy -db -f haproxy.cfg", haproxy(a, b, cores)),
        ("redis-server", format!("{REDIS:?}")),
        ("webdis webdis.json", webdis(a, b, Path::new("."))),
        ("memcached", memcached(cores).join(" ")),
    ]
}
