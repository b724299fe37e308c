//! Objects of stores, passed on as they come: a range of a browser's is a range of the store's, and no more of it is held than a part on
//! its way.

use std::ops::Range;

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answers::Refused;
use crate::objects::{Bucket, Failure, Slice, Wanted};
use crate::places::scanned;
use crate::store::Place;

/// An object, or the range of it that is asked for.
pub(super) async fn answer(place: &Place, request: &Parts) -> Result<Response, Refused> {
    let size = place.bytes.unsigned_abs();
    let header = request.headers.get(RANGE).and_then(|range| range.to_str().ok());
    let asked = asked(header, size);
    if asked == Asked::Nothing {
        let headers = [(CONTENT_RANGE, format!("bytes */{size}"))];
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
    }
    let (status, range, wanted) = match asked {
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range.clone(), Wanted::Part(range)),
        Asked::All | Asked::Nothing => (StatusCode::OK, 0..size, Wanted::All),
    };
    let kind = mime_guess::from_path(&place.path).first_or_octet_stream().to_string();
    let body =
        if request.method == Method::HEAD { Body::empty() } else { Body::from_stream(slice(place, wanted).await?) };
    let length = range.end - range.start;
    let mut answer = (
        status,
        [(CONTENT_TYPE, kind), (CONTENT_LENGTH, length.to_string()), (ACCEPT_RANGES, "bytes".to_owned())],
        body,
    )
        .into_response();
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(told) = format!("bytes {}-{}/{size}", range.start, range.end - 1).parse()
    {
        answer.headers_mut().insert(CONTENT_RANGE, told);
    }
    Ok(answer)
}

async fn slice(place: &Place, wanted: Wanted) -> Result<Slice, Refused> {
    let bucket = Bucket::of(&place.root)?;
    let key = bucket.key_of(&place.path).map_err(|failure| refused(&failure))?;
    bucket.slice(&key, wanted, &scanned(place)).await.map_err(|failure| refused(&failure))
}

fn refused(failure: &Failure) -> Refused {
    let status = match failure {
        Failure::Changed | Failure::Missing => StatusCode::NOT_FOUND,
        Failure::Refused(_) | Failure::Away(_) => StatusCode::BAD_GATEWAY,
    };
    Refused(status, format!("the object {failure}"))
}

/// Which bytes a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    All,
    Part(Range<u64>),
    /// Bytes behind the end.
    Nothing,
}

/// One range, from a number on, up to one, or so many of the last ones. Several ranges, and what is none, are answered by all.
fn asked(header: Option<&str>, size: u64) -> Asked {
    let range = header.and_then(|header| header.trim().strip_prefix("bytes=")).and_then(|range| range.split_once('-'));
    let Some((from, to)) = range else { return Asked::All };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => from..size.min(to.saturating_add(1)),
        (Some(from), None) if to.trim().is_empty() => from..size,
        (None, Some(last)) if from.trim().is_empty() => size.saturating_sub(last)..size,
        _ => return Asked::All,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_browsers_write_them() {
        for (header, expected) in [
            (None, Asked::All),
            (Some("bytes=0-"), Asked::Part(0..100)),
            (Some("bytes=10-19"), Asked::Part(10..20)),
            (Some("bytes=90-1000"), Asked::Part(90..100)),
            (Some("bytes=-5"), Asked::Part(95..100)),
            (Some("bytes=-500"), Asked::Part(0..100)),
            (Some("bytes=100-"), Asked::Nothing),
            (Some("bytes=-0"), Asked::Nothing),
            (Some("bytes=20-10"), Asked::All),
            (Some("bytes=0-1,5-6"), Asked::All),
            (Some("seconds=1-2"), Asked::All),
        ] {
            assert_eq!(asked(header, 100), expected, "{header:?}");
        }
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Nothing);
    }
}
