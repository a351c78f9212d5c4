//! One keep-alive connection to the server.

use crate::service::Answer;
use axum::body::Bytes;
use axum::http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes so long, unless the server hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that is made when it is first needed, and again when it was lost.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client { address, connection: None }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, String> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Bytes) -> Result<Answer, String> {
        self.send(Method::PUT, path, body).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Answer, String> {
        let answer = match timeout(PATIENCE, self.exchange(method.clone(), path, body)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer in {} s", PATIENCE.as_secs()),
        };
        // Whatever went wrong, nobody knows what this connection would bring next.
        self.connection = None;
        Err(format!("{method} {path}: {answer}"))
    }

    async fn exchange(&mut self, method: Method, path: &str, body: Bytes) -> Result<Answer, Box<dyn Error>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(self.address).await?),
        };
        connection.ready().await?;
        let request =
            Request::builder().method(method).uri(path).header(header::HOST, "localhost").body(Full::new(body))?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; what goes wrong on it is told by the request that was on its way.
    tokio::spawn(connection);
    Ok(sender)
}
