//! What the page asks for, as JSON.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path as InAddress, Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::server::{Edits, Shared};
use crate::LibraryError;
use crate::query::Query as Words;
use crate::store::{FileState, Hit, ModelRow, NewCorrection, PageCursor, PageWish, SearchWish, Verdict};

/// Files of a page at most.
const PAGE: u32 = 200;
/// Labels beside the files.
const FACETS: u32 = 60;
/// Corrections that are read at once.
const ROWS: u32 = 1000;

/// An answer that is none: a status and a sentence.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, [(CACHE_CONTROL, "no-store")], Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<LibraryError> for Refused {
    fn from(error: LibraryError) -> Self {
        let status = match &error {
            LibraryError::Query(_) => StatusCode::UNPROCESSABLE_ENTITY,
            LibraryError::Wish(_) => StatusCode::NOT_FOUND,
            error if error.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

type Answer = Result<Response, Refused>;

fn told(value: impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

pub(super) async fn nothing() -> Refused {
    Refused(StatusCode::NOT_FOUND, "there is nothing at this address".to_owned())
}

/// Which model is meant; the newest if nothing is said.
#[derive(Deserialize)]
pub(super) struct OfModel {
    model: Option<i64>,
}

async fn model(shared: &Shared, wanted: Option<i64>) -> Result<ModelRow, LibraryError> {
    match wanted {
        Some(id) => shared.store.model(id).await,
        None => shared.store.find_model(None).await,
    }
}

/// What does not change from page to page.
pub(super) async fn library(State(shared): State<Arc<Shared>>, Query(of): Query<OfModel>) -> Answer {
    let models = shared.store.models().await?;
    let shown: Vec<Value> = models.iter().map(|model| json!({ "id": model.id, "name": model.shown() })).collect();
    let (facets, labels) = match model(&shared, of.model).await {
        Ok(model) => (shared.store.facets(&model, FACETS).await?, model.labels),
        Err(_) if models.is_empty() => (Vec::new(), Vec::new()),
        Err(error) => return Err(error.into()),
    };
    Ok(told(json!({ "models": shown, "facets": facets, "labels": labels, "edit": shared.edits == Edits::Allowed })))
}

/// How far everything is.
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Answer {
    let status = shared.store.status().await?;
    let roots: Vec<Value> = status
        .roots
        .iter()
        .map(|root| json!({ "path": root.path.to_string_lossy(), "present": root.present, "scanned_at": root.scanned_at }))
        .collect();
    Ok(told(json!({
        "roots": roots, "files": status.files, "gone": status.gone, "is_paused": status.is_paused, "models": status.models,
    })))
}

/// Which files are wanted.
#[derive(Deserialize)]
pub(super) struct FilesWish {
    model: Option<i64>,
    /// Words, as on the command line.
    #[serde(default)]
    query: String,
    /// Seconds since 1970.
    after: Option<f64>,
    /// Seconds since 1970.
    before: Option<f64>,
    #[serde(default)]
    min_score: f64,
    #[serde(default)]
    path: String,
    state: Option<String>,
    #[serde(default)]
    offset: u64,
    limit: Option<u32>,
    /// Of the page before, where files of one state are listed.
    cursor_modified: Option<f64>,
    cursor_video: Option<i64>,
}

/// A page of files: what a search finds, or all of one state.
pub(super) async fn files(State(shared): State<Arc<Shared>>, Query(wish): Query<FilesWish>) -> Answer {
    let model = model(&shared, wish.model).await?;
    let limit = wish.limit.unwrap_or(60).clamp(1, PAGE);
    if let Some(state) = &wish.state {
        let known = FileState::ALL.into_iter().find(|known| known.name() == state);
        let state = known
            .ok_or_else(|| Refused(StatusCode::UNPROCESSABLE_ENTITY, format!("`{state}` is no state of a file")))?;
        let after = wish.cursor_modified.zip(wish.cursor_video).map(|(modified, video)| PageCursor { modified, video });
        let files = shared.store.page(&model, &PageWish { state: Some(state), after, limit }).await?;
        let hits: Vec<Hit> = files.into_iter().map(|file| Hit { file, found: Vec::new() }).collect();
        return Ok(told(json!({ "total": null, "hits": hits })));
    }
    let words = wish.query.trim();
    let query = if words.is_empty() { None } else { Some(Words::parse(words).map_err(LibraryError::from)?) };
    let path = Some(wish.path).filter(|path| !path.is_empty());
    let wish = SearchWish {
        after: wish.after,
        before: wish.before,
        min_score: wish.min_score,
        path,
        with_gone: false,
        offset: wish.offset,
        limit,
    };
    let page = shared.store.search(&model, query.as_ref(), &wish).await?;
    Ok(told(json!({ "total": page.total, "hits": page.hits })))
}

/// Everything about a file.
pub(super) async fn file(State(shared): State<Arc<Shared>>, InAddress(video): InAddress<i64>) -> Answer {
    Ok(told(shared.store.details(video).await?.to_json()))
}

/// What a person says of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    label: String,
    verdict: Verdict,
    span: Option<(f64, f64)>,
    #[serde(default)]
    note: String,
}

/// Keeps what a person says.
pub(super) async fn correct(
    State(shared): State<Arc<Shared>>,
    InAddress(video): InAddress<i64>,
    body: Bytes,
) -> Answer {
    let wrong =
        |error: serde_json::Error| Refused(StatusCode::UNPROCESSABLE_ENTITY, format!("that is no correction: {error}"));
    let Said { label, verdict, span, note } = serde_json::from_slice(&body).map_err(wrong)?;
    let said = NewCorrection { video, label, verdict, span, author: "page".to_owned(), note };
    let id = shared.store.correct(&said).await.map_err(|error| match error {
        LibraryError::Wish(reason) => Refused(StatusCode::UNPROCESSABLE_ENTITY, reason),
        error => error.into(),
    })?;
    Ok(told(json!({ "id": id })))
}

/// Takes back what a person said.
pub(super) async fn withdraw(State(shared): State<Arc<Shared>>, InAddress(correction): InAddress<i64>) -> Answer {
    shared.store.withdraw(correction).await?;
    Ok(told(json!({})))
}

/// Which failures are wanted.
#[derive(Deserialize)]
pub(super) struct FailuresWish {
    model: Option<i64>,
    cursor_modified: Option<f64>,
    cursor_video: Option<i64>,
}

/// Failures by reason, and a page of the files.
pub(super) async fn failures(State(shared): State<Arc<Shared>>, Query(wish): Query<FailuresWish>) -> Answer {
    let model = model(&shared, wish.model).await?;
    let groups = shared.store.failure_groups(model.id).await?;
    let after = wish.cursor_modified.zip(wish.cursor_video).map(|(modified, video)| PageCursor { modified, video });
    let files = shared.store.page(&model, &PageWish { state: Some(FileState::Failed), after, limit: PAGE }).await?;
    Ok(told(json!({ "groups": groups, "files": files })))
}

/// All that people said, as a list to train with: a path, a label, and from when to when.
pub(super) async fn corrections(State(shared): State<Arc<Shared>>) -> Answer {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut rows = vec![["path", "label", "verdict", "start", "end", "note"].map(str::to_owned)];
    let mut last = 0;
    loop {
        let said = shared.store.all_corrections(last, ROWS).await?;
        let Some(newest) = said.last() else { break };
        last = newest.id;
        let videos: BTreeSet<i64> = said.iter().map(|correction| correction.said.video).collect();
        let paths = shared.store.first_paths(&videos.into_iter().collect::<Vec<_>>()).await?;
        for NewCorrection { video, label, verdict, span, note, .. } in
            said.into_iter().map(|correction| correction.said)
        {
            let path = paths.iter().find(|(of, _)| *of == video).map(|(_, path)| path.to_string_lossy().into_owned());
            let verdict = if verdict == Verdict::Added { "added" } else { "removed" }.to_owned();
            let [start, end] = [span.map(|span| span.0), span.map(|span| span.1)]
                .map(|time| time.map_or(String::new(), |time| time.to_string()));
            rows.push([path.unwrap_or_default(), label, verdict, start, end, note]);
        }
    }
    let wrong = |error: String| Refused(StatusCode::INTERNAL_SERVER_ERROR, error);
    rows.iter().try_for_each(|row| table.write_record(row)).map_err(|error| wrong(error.to_string()))?;
    let text = table.into_inner().map_err(|error| wrong(error.to_string()))?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"corrections.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}
