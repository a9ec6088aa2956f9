//! What one stream can make a member hold.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::raw::Raw;
use super::*;
use crate::peer::frame::{self, INLINE_BYTES, Kind};
use crate::peer::hello::MAX_REQUESTS;
use crate::peer::message;
use crate::peer::outbox::SMALL_LIMIT;

/// The frames of `count` gets of `name`.
fn gets(name: &str, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=count {
        frame::put(&mut bytes, Kind::Request, id as u64, |payload| {
            message::encode_request(payload, &key(name), &get(), FORWARDED, PATIENCE);
        });
    }
    bytes
}

/// Yields until nothing has changed for many turns of every task.
async fn settled(memory: &Memory) -> usize {
    let (mut last, mut same) = (0, 0);
    while same < 1000 {
        tokio::task::yield_now().await;
        let now = memory.begun.load(Ordering::Acquire);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
    }
    last
}

async fn served(memory: &Arc<Memory>) -> Raw<DuplexStream> {
    let (near, far) = tokio::io::duplex(1 << 20);
    tokio::spawn(serve(
        far,
        Arc::clone(memory),
        identity("127.0.0.1:2"),
        Channel::Plain,
        || Some(()),
        CancellationToken::new(),
    ));
    let mut raw = Raw::new(near);
    raw.ask_hello().await;
    raw
}

#[tokio::test]
async fn no_more_requests_are_begun_than_the_hello_allows() {
    let memory = Arc::<Memory>::default();
    let mut raw = served(&memory).await;
    let (allowed, asked) = (MAX_REQUESTS as usize, MAX_REQUESTS as usize + 100);
    tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &gets("slow", asked)).await.unwrap();
    assert_eq!(patiently(settled(&memory)).await, allowed);
    memory.gate.add_permits(asked);
    for _ in 0..asked {
        assert_eq!(raw.next().await.unwrap().0, Kind::Answer);
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_pile_up_no_further_than_their_limit() {
    let memory = Arc::<Memory>::default();
    let (version, content_type) = (Version::from_bytes([1; 12]), ContentType::Text);
    let value = Bytes::from(vec![1; INLINE_BYTES]);
    memory.objects.lock().insert("k".into(), Object { value, content_type, version, expires_at: None });
    let mut raw = served(&memory).await;
    tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &gets("k", 1000)).await.unwrap();
    let begun = patiently(settled(&memory)).await;
    // What the pipe holds, what is being written, and what waits behind that.
    let bound = ((1 << 20) + 2 * (SMALL_LIMIT + 2 * INLINE_BYTES)) / INLINE_BYTES;
    assert!(begun <= bound, "{begun} answers are held, {bound} are allowed");
    for _ in 0..1000 {
        assert_eq!(raw.next().await.unwrap().0, Kind::Answer);
    }
}
