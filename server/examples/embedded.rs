//! A member inside your own process: `cargo run -p ringhold-server --example embedded [ADDRESS]`.

use ringhold_server::embedded::Write;
use ringhold_server::{Config, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9999".into());
    let node = Node::start(Config::alone(address.parse()?)).await?;
    node.objects().put("greeting", "hello", Write::default()).await?;
    let greeting = node.objects().get("greeting").await?.ok_or("it was just stored")?;
    println!("{}", String::from_utf8_lossy(&greeting.value));
    node.stop().await;
    Ok(())
}
