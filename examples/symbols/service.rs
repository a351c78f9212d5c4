//! The HTTP service.

use crate::elf::{self, Facts};
use crate::lookup::{self, look_up};
use crate::name::Name;
use crate::store::Store;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

/// The largest symbol file that can be uploaded.
pub(crate) const MAX_UPLOAD: usize = 32 << 20;

const USAGE: &str = "GET /{file}/{build_id} for facts about a symbol file, PUT an ELF file there to store it\n";

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) store: Arc<Store>,
    /// Whether look-ups and uploads go through the cache.
    pub(crate) cached: bool,
}

/// What the service says, as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The answer to a look-up that found this.
    pub(crate) fn to_look_up(name: &Name, found: Option<&Facts>) -> Self {
        match found.map(serde_json::to_vec) {
            Some(Ok(body)) => Answer { status: StatusCode::OK, body: body.into() },
            Some(Err(error)) => Answer::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            None => Answer::error(
                StatusCode::NOT_FOUND,
                &format!("no symbols for {} with build id {}", name.file(), name.build_id()),
            ),
        }
    }

    fn error(status: StatusCode, text: &str) -> Self {
        Answer { status, body: json!({ "error": text }).to_string().into() }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, "application/json")], self.body).into_response()
    }
}

/// A server that runs until it is told to stop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// Starts to answer on a listener, which stays open for the next server.
    pub(crate) fn start(runtime: &Handle, listener: &TcpListener, service: Service) -> io::Result<Self> {
        let _inside = runtime.enter();
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            // A sender that was dropped means the end as well.
            let _ = stopped.await;
        };
        let server = axum::serve(listener, router(service)).with_graceful_shutdown(until);
        Ok(Running { address, stop, task: runtime.spawn(server.into_future()) })
    }

    /// Lets the open requests end, then stops.
    pub(crate) async fn stop(self) -> io::Result<()> {
        // A receiver that is gone means that the server has ended by itself; the task tells why.
        let _ = self.stop.send(());
        self.task.await.map_err(io::Error::other)?
    }
}

fn router(service: Service) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/{file}/{build_id}", get(read).put(upload))
        .fallback(async || Answer::error(StatusCode::BAD_REQUEST, USAGE.trim_end()))
        .layer(DefaultBodyLimit::max(MAX_UPLOAD))
        .with_state(service)
}

async fn front() -> String {
    format!("{USAGE}{}\n", lookup::summary())
}

async fn read(State(service): State<Service>, Path((file, build_id)): Path<(String, String)>) -> Answer {
    let name = match Name::new(&file, &build_id) {
        Ok(name) => name,
        Err(why) => return Answer::error(StatusCode::BAD_REQUEST, why.0),
    };
    off_thread(move || {
        let found = match service.cached {
            true => look_up(&service.store, &name),
            false => look_up::uncached(&service.store, &name),
        };
        match found {
            Ok(found) => Answer::to_look_up(&name, found.as_ref()),
            Err(error) => Answer::error(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("can't tell whether there are symbols for {}: {error}", name.file()),
            ),
        }
    })
    .await
}

async fn upload(
    State(service): State<Service>,
    Path((file, build_id)): Path<(String, String)>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let name = match Name::new(&file, &build_id) {
        Ok(name) => name,
        Err(why) => return Answer::error(StatusCode::BAD_REQUEST, why.0),
    };
    match body {
        Ok(body) => off_thread(move || store_upload(&service, &name, &body)).await,
        Err(why) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Answer::error(why.status(), &format!("a symbol file has at most {MAX_UPLOAD} bytes"))
        }
        Err(why) => Answer::error(why.status(), &why.body_text()),
    }
}

fn store_upload(service: &Service, name: &Name, body: &[u8]) -> Answer {
    let facts = match elf::facts(body) {
        Ok(facts) => facts,
        Err(defect) => return Answer::error(StatusCode::BAD_REQUEST, &defect.to_string()),
    };
    if facts.build_id != name.build_id() {
        let text = format!("the file has the build id {}, not {}", facts.build_id, name.build_id());
        return Answer::error(StatusCode::BAD_REQUEST, &text);
    }
    if let Err(error) = service.store.save(name, body) {
        return Answer::error(StatusCode::INTERNAL_SERVER_ERROR, &format!("storing the file: {error}"));
    }
    // After the file is in its place: a look-up that began before may have seen the old one, and is not kept.
    if service.cached
        && let Err(error) = look_up::invalidate(&service.store, name)
    {
        let text = format!("the file is stored, but some readers may see the old one for a while: {error}");
        return Answer::error(StatusCode::SERVICE_UNAVAILABLE, &text);
    }
    Answer { status: StatusCode::CREATED, ..Answer::to_look_up(name, Some(&facts)) }
}

/// Runs what waits for the disk, or for Redis, away from the threads that serve connections.
async fn off_thread(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "the server failed on this request"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::sample;
    use crate::store::{Entry, write_catalogue};
    use std::net::Ipv4Addr;
    use std::path::PathBuf;

    /// A server with an empty store, in a folder that lives as long as the test.
    fn server() -> (tempfile::TempDir, Running, Client) {
        server_of(Vec::new(), false)
    }

    fn server_of(catalogues: Vec<PathBuf>, cached: bool) -> (tempfile::TempDir, Running, Client) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::new(folder.path().join("uploads"), catalogues).expect("a store");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let service = Service { store: Arc::new(store), cached };
        let server = Running::start(&Handle::current(), &listener, service).expect("a server");
        let client = Client::new(server.address);
        (folder, server, client)
    }

    fn text(answer: &Answer) -> String {
        String::from_utf8_lossy(&answer.body).into_owned()
    }

    #[tokio::test]
    async fn an_upload_is_seen_by_the_next_look_up() {
        let (_folder, server, mut client) = server();
        let path = format!("/lib%20a.so/{}", "07".repeat(20));
        assert_eq!(client.get(&path).await.expect("an answer").status, StatusCode::NOT_FOUND);
        for functions in [1, 2] {
            let file = sample::elf(&[7; 20], &[("one", 1), ("two", 2)][..functions]);
            assert_eq!(client.put(&path, file.into()).await.expect("an answer").status, StatusCode::CREATED);
            let seen = Client::new(server.address).get(&path).await.expect("an answer");
            assert_eq!(seen.status, StatusCode::OK);
            assert!(text(&seen).contains(&format!("\"functions\":{functions},")), "{}", text(&seen));
        }
        drop(client);
        server.stop().await.expect("a clean end");
    }

    #[tokio::test]
    async fn a_disk_that_does_not_tell_is_a_503_that_is_not_kept() {
        lookup::keep_in(Arc::new(memokit::MemoryCache::new())).expect("an empty cache");
        let files = tempfile::tempdir().expect("a folder");
        let path = files.path().join("lib");
        let bytes = sample::elf(&[9; 20], &[("main", 16)]);
        std::fs::write(&path, &bytes).expect("a file");
        let name = Name::new("lib", &"09".repeat(20)).expect("a name");
        let entry = Entry { name, path, bytes: bytes.len() as u64 };
        let missing = Name::new("none", &"0a".repeat(20)).expect("a name");
        let catalogue = files.path().join("catalogue");
        std::fs::create_dir(&catalogue).expect("a folder in the place of the catalogue");
        let (_folder, _server, mut client) = server_of(vec![catalogue.clone()], true);

        for name in [&entry.name, &entry.name, &missing] {
            let answer = client.get(&name.path()).await.expect("an answer");
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
            let text = text(&answer);
            assert!(text.contains("can't tell") && text.contains(name.file()) && text.contains("catalogue"), "{text}");
        }
        std::fs::remove_dir(&catalogue).expect("removed");
        write_catalogue(&catalogue, std::iter::once(&entry)).expect("a catalogue");
        assert_eq!(client.get(&entry.name.path()).await.expect("an answer").status, StatusCode::OK);
        assert_eq!(client.get(&missing.path()).await.expect("an answer").status, StatusCode::NOT_FOUND);

        // These are kept: nothing is read any more.
        std::fs::remove_file(&catalogue).expect("removed");
        assert_eq!(client.get(&entry.name.path()).await.expect("an answer").status, StatusCode::OK);
        assert_eq!(client.get(&missing.path()).await.expect("an answer").status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn an_upload_that_is_not_that_file_is_refused_with_the_reason() {
        let (_folder, _server, mut client) = server();
        let path = format!("/lib/{}", "07".repeat(20));
        let whole = sample::elf(&[8; 20], &[("one", 1)]);
        let cut = whole[..whole.len() - 1].to_vec();
        for (body, reason) in [
            (whole, "the file has the build id 0808080808"),
            (cut, "not a whole ELF file"),
            (b"#!/bin/sh".to_vec(), "not a whole ELF file"),
            (Vec::new(), "not a whole ELF file"),
            (sample::elf(&[], &[]), "it has no build id"),
        ] {
            let answer = client.put(&path, body.into()).await.expect("an answer");
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(text(&answer).contains(reason), "{}", text(&answer));
        }
        assert_eq!(client.get(&path).await.expect("an answer").status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn an_upload_that_is_too_large_is_refused() {
        let (folder, _server, mut client) = server();
        let path = format!("/lib/{}", "07".repeat(20));
        // The server may close the connection before it has read all of it.
        if let Ok(answer) = client.put(&path, vec![0; MAX_UPLOAD + 1].into()).await {
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        }
        assert_eq!(std::fs::read_dir(folder.path().join("uploads")).expect("a folder").count(), 0);
    }

    #[tokio::test]
    async fn no_name_leaves_the_store() {
        let (folder, _server, mut client) = server();
        let file: Bytes = sample::elf(&[7; 20], &[]).into();
        let build_id = "07".repeat(20);
        for path in [
            format!("/..%2Fescaped/{build_id}"),
            format!("/..%5Cescaped/{build_id}"),
            format!("/%2Fetc%2Fpasswd/{build_id}"),
            format!("/%2e%2e/{build_id}"),
            format!("/../{build_id}"),
            format!("/../../escaped/{build_id}"),
            format!("/a%00b/{build_id}"),
            "/file/..%2F..%2Fescaped".to_owned(),
            "/file/0".to_owned(),
            "/one".to_owned(),
        ] {
            for answer in [client.get(&path).await, client.put(&path, file.clone()).await] {
                assert_eq!(answer.expect("an answer").status, StatusCode::BAD_REQUEST, "{path}");
            }
        }
        let inside: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").flatten().collect();
        assert_eq!(inside.len(), 1, "only the folder for uploads: {inside:?}");
        assert_eq!(std::fs::read_dir(inside[0].path()).expect("a folder").count(), 0);
    }
}
