//! The value of a GET as it comes: nothing is held but the chunk in hand.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use crate::transport::reason;
use crate::{Error, ObjectInfo};

/// A stored object whose value is still coming.
#[derive(Debug)]
pub struct ObjectStream {
    /// Everything but the value.
    pub info: ObjectInfo,
    node: String,
    response: Option<reqwest::Response>,
    timeout: Duration,
}

impl ObjectStream {
    pub(crate) fn new(
        info: ObjectInfo,
        node: String,
        response: Option<reqwest::Response>,
        timeout: Duration,
    ) -> Self {
        Self { info, node, response, timeout }
    }

    /// The next bytes of the value; nothing at its end. Waits for them at most as long as the client's timeout.
    ///
    /// # Errors
    /// [`Error::BrokenOff`] when the rest does not come: what was handed out is not the whole value.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let why = match tokio::time::timeout(self.timeout, response.chunk()).await {
            Ok(Ok(Some(chunk))) => return Ok(Some(chunk)),
            Ok(Ok(None)) => {
                self.response = None;
                return Ok(None);
            }
            Ok(Err(error)) => reason(&error),
            Err(_) => format!("nothing came for {:.1?}", self.timeout),
        };
        self.response = None;
        Err(Error::BrokenOff { node: self.node.clone(), why })
    }

    /// The chunks as a [`Stream`]; it ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        futures_util::stream::try_unfold(self, async |mut object| {
            Ok(object.chunk().await?.map(|chunk| (chunk, object)))
        })
        .boxed()
    }

    /// The value as an [`AsyncRead`].
    pub fn into_reader(self) -> impl AsyncRead + Send + Unpin {
        StreamReader::new(self.into_stream().map_err(std::io::Error::other))
    }
}
