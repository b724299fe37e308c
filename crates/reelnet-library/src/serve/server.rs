//! Routes, and the life of the server.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;

use super::guard::{self, Guard};
use super::thumbnails::Thumbnails;
use super::{answers, media};
use crate::{LibraryError, Store};

/// Whether people may say what is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// Nothing can be changed.
    Refused,
    /// Corrections are taken.
    Allowed,
}

/// How a library is shown.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen; port 0 is any free one.
    pub address: SocketAddr,
    /// What whoever asks has to know; needed for addresses that other machines reach.
    pub token: Option<String>,
    /// Whether people may say what is to be seen.
    pub edits: Edits,
}

/// What all answers have in common.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) edits: Edits,
    pub(super) thumbnails: Thumbnails,
}

/// A server that listens already.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// If the address can be reached by other machines and no token is set, or cannot be listened at.
    pub async fn bind(store: Store, options: ServeOptions) -> Result<Self, LibraryError> {
        let ServeOptions { address, token, edits } = options;
        if token.as_ref().is_some_and(|token| token.len() < guard::LEAST_TOKEN) {
            return Err(LibraryError::Wish(format!(
                "the token is too short, expected {} letters or more",
                guard::LEAST_TOKEN
            )));
        }
        if !address.ip().is_loopback() && token.is_none() {
            return Err(LibraryError::Wish(format!(
                "other machines reach {address}, and anybody there could watch the library; set a token, or listen at 127.0.0.1"
            )));
        }
        let cannot = |error| {
            LibraryError::Wish(format!("cannot listen at {address}: {error}; name another --address or --port"))
        };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let shared = Arc::new(Shared { store, edits, thumbnails: Thumbnails::default() });
        let guard = Arc::new(Guard { address, token, edits });
        Ok(Self { listener, address, router: router(shared, guard) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` ends; answers that are being given then are given.
    ///
    /// # Errors
    /// If the system takes the listener away.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), LibraryError> {
        let serving = axum::serve(self.listener, self.router).with_graceful_shutdown(stop);
        serving.await.map_err(|error| LibraryError::Wish(format!("the page's server ended: {error}")))
    }
}

fn router(shared: Arc<Shared>, guard: Arc<Guard>) -> Router {
    let api = Router::new()
        .route("/library", get(answers::library))
        .route("/status", get(answers::status))
        .route("/files", get(answers::files))
        .route("/files/{video}", get(answers::file))
        .route("/files/{video}/corrections", post(answers::correct))
        .route("/corrections/{correction}", delete(answers::withdraw))
        .route("/failures", get(answers::failures))
        .fallback(answers::nothing);
    Router::new()
        .route("/", get(|| async { text("text/html; charset=utf-8", include_str!("page.html")) }))
        .route("/page.css", get(|| async { text("text/css; charset=utf-8", include_str!("page.css")) }))
        .route("/page.js", get(|| async { text("text/javascript; charset=utf-8", include_str!("page.js")) }))
        .route("/corrections.csv", get(answers::corrections))
        .route("/media/{video}", get(media::media))
        .route("/thumbnails/{video}", get(media::thumbnail))
        .nest("/api", api)
        .fallback(answers::nothing)
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(shared)
}

fn text(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}
