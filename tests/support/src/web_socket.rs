//! A WebSocket, text frame by text frame, as the lines that a host over stdio reads and writes.

use anyhow::{Context, Result};
use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadHalf,
    WriteHalf, duplex, split,
};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// What is on its way between the two.
const BUFFER: usize = 1 << 16;

type Lines = (
    WriteHalf<DuplexStream>,
    BufReader<ReadHalf<DuplexStream>>,
    JoinSet<()>,
);

/// Connects to `unix://PATH` or `ws://IP:PORT`: where lines are written, where they are read, and what carries them.
pub(crate) async fn connect(address: &str) -> Result<Lines> {
    match address.strip_prefix("unix://") {
        Some(path) => over(UnixStream::connect(path).await?, "ws://localhost/").await,
        None => {
            let host = address
                .strip_prefix("ws://")
                .context("neither unix:// nor ws://")?;
            over(TcpStream::connect(host).await?, address).await
        }
    }
}

/// The same on a stream that is there already.
pub(crate) async fn over<S>(stream: S, url: &str) -> Result<Lines>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let any_size = WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None);
    let (socket, _) = client_async_with_config(url, stream, Some(any_size)).await?;
    let (mut to_server, mut from_server) = socket.split();
    let (ours, theirs) = duplex(BUFFER);
    let (output, input) = split(ours);
    let (from_host, mut to_host) = split(theirs);
    let mut carrying = JoinSet::new();
    carrying.spawn(async move {
        let up = async move {
            let mut lines = BufReader::new(from_host).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if to_server.send(Message::text(line)).await.is_err() {
                    return;
                }
            }
        };
        let down = async move {
            while let Some(Ok(message)) = from_server.next().await {
                let Message::Text(text) = message else {
                    continue;
                };
                let line = format!("{text}\n");
                if to_host.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        };
        // The end of one is the end of both: the host then reads that nothing more comes.
        match select(std::pin::pin!(up), std::pin::pin!(down)).await {
            Either::Left(_) | Either::Right(_) => {}
        }
    });
    Ok((input, BufReader::new(output), carrying))
}
