//! A member inside your own process: `cargo run -p ringhold-server --example embedded`.

use ringhold_server::embedded::Write;
use ringhold_server::{Config, Node};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config::from_overrides(["node.address=127.0.0.1:7411"])?;
    let node = Node::start(config).await?;
    node.objects().put("greeting", "hello", Write::default()).await?;
    let greeting = node.objects().get("greeting").await?.ok_or("it was just stored")?;
    println!("{}", String::from_utf8_lossy(&greeting.value));
    node.stop().await;
    Ok(())
}
