//! The files themselves, by their numbers: whole or in ranges, and small pictures of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path as InAddress, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use reelnet_clips::Media;
use serde::Deserialize;
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use super::answers::Refused;
use super::objects;
use super::server::Shared;
use super::thumbnails::Thumbnails;
use crate::objects::Address;
use crate::places;
use crate::store::Place;

/// A file as it is; browsers ask for ranges of it.
pub(super) async fn media(
    State(shared): State<Arc<Shared>>,
    InAddress(video): InAddress<i64>,
    request: Request,
) -> Result<Response, Refused> {
    let mut answer = match found(&shared, video).await? {
        Found::File(path) => {
            let Ok(answer) = ServeFile::new(&path).oneshot(request).await;
            answer.map(Body::new)
        }
        Found::Object(place) => objects::answer(&place, &request.into_parts().0).await?,
    };
    let headers = answer.headers_mut();
    // What is shown as a page of its own runs nothing.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; media-src 'self'; img-src 'self'; sandbox"),
    );
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !(kind.starts_with("video/") || kind.starts_with("image/") && kind != "image/svg+xml") {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(answer)
}

/// Which picture of a file is wanted.
#[derive(Deserialize)]
pub(super) struct When {
    /// Seconds after the first frame; a third of the file if nothing is said.
    at: Option<f64>,
}

/// A small picture of a file.
pub(super) async fn thumbnail(
    State(shared): State<Arc<Shared>>,
    InAddress(video): InAddress<i64>,
    Query(When { at }): Query<When>,
) -> Result<Response, Refused> {
    let media = match found(&shared, video).await? {
        Found::File(path) => Media::path(path),
        Found::Object(place) => {
            let opened = places::open(&place, &Thumbnails::limits());
            opened.map_err(|failure| Refused(StatusCode::NOT_FOUND, failure.to_string()))?.media
        }
    };
    let picture =
        shared.thumbnails.of(video, media, at).await.map_err(|reason| Refused(StatusCode::NOT_FOUND, reason))?;
    Ok(([(CONTENT_TYPE, "image/jpeg"), (CACHE_CONTROL, "private, max-age=3600")], picture).into_response())
}

/// Where a content is.
enum Found {
    /// The real path of a file.
    File(PathBuf),
    /// An object of a store, which may not be there any more.
    Object(Place),
}

/// Where a content lies, within the library even when every link is followed. A file is preferred to an object.
async fn found(shared: &Shared, video: i64) -> Result<Found, Refused> {
    let places = shared.store.places(video).await?;
    let mut refusal = Refused(StatusCode::NOT_FOUND, "the file is no longer where it was".to_owned());
    let (objects, files): (Vec<_>, Vec<_>) =
        places.into_iter().filter(|place| !place.is_gone).partition(|place| Address::is_meant(&place.root));
    for place in files {
        match within(&place.root, &place.path).await {
            Ok(Some(path)) => return Ok(Found::File(path)),
            Ok(None) => {
                let reason = "the file is a link that leads out of the library's folders; it is not shown".to_owned();
                refusal = Refused(StatusCode::FORBIDDEN, reason);
            }
            Err(_) => {}
        }
    }
    objects.into_iter().next().map(Found::Object).ok_or(refusal)
}

/// The real path of a file, if it lies below the real root.
async fn within(root: &Path, path: &Path) -> std::io::Result<Option<PathBuf>> {
    let (root, path) = (tokio::fs::canonicalize(root).await?, tokio::fs::canonicalize(path).await?);
    let is_file = tokio::fs::metadata(&path).await?.is_file();
    Ok((is_file && path.starts_with(&root)).then_some(path))
}
