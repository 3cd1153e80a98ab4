//! WebSocket text frames as lines, so that a client reads and writes both alike.

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex,
};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

/// What may wait between the lines and the frames.
const ROOM: usize = 64 * 1024;

/// Opens a WebSocket; gives the lines that come in, and where those go that go out.
pub(crate) async fn as_lines(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    url: &str,
) -> Result<(DuplexStream, DuplexStream)> {
    let (socket, _) = client_async(url, stream).await?;
    let (mut out, mut come) = socket.split();
    let (lines, mut incoming) = duplex(ROOM);
    let (writer, outgoing) = duplex(ROOM);
    tokio::spawn(async move {
        while let Some(Ok(message)) = come.next().await {
            if let Message::Text(text) = message {
                let line = format!("{text}\n");
                if incoming.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    });
    tokio::spawn(async move {
        let mut lines = BufReader::new(outgoing).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if out.send(Message::text(line)).await.is_err() {
                return;
            }
        }
        let _ = out.close().await;
    });
    Ok((lines, writer))
}
