//! Who may ask what. Everything that comes in passes here first.
//!
//! A page of somebody else that is open in the same browser can send requests to this machine. It is kept out by the name that a request
//! is for (a name that was made to lead here is not this server's), by the page that it came from, and by the kind of what it sends.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::server::Edits;

/// Letters of a token at least.
pub(super) const LEAST_TOKEN: usize = 12;
/// Bytes of all headers together.
const HEADER_BYTES: usize = 16 << 10;
/// Bytes of an address.
const URI_BYTES: usize = 4 << 10;
/// Bytes that may be sent to us.
const BODY_BYTES: u64 = 16 << 10;
const COOKIE_NAME: &str = "reelnet_token";
/// A page loads from here only, and is framed by nobody.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is let in.
pub(super) struct Guard {
    pub(super) address: SocketAddr,
    pub(super) token: Option<String>,
    pub(super) edits: Edits,
}

/// Why somebody is turned away.
type Refusal = (StatusCode, &'static str);

pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let answer = match guard.admits(request.method(), request.uri(), request.headers()) {
        Ok(Admitted::Yes) => next.run(request).await,
        Ok(Admitted::WithCookie(token)) => remember(request.uri(), &token),
        Err(refusal) => refusal.into_response(),
    };
    hardened(answer)
}

#[derive(Debug, PartialEq)]
enum Admitted {
    Yes,
    /// The token was in the address: it becomes a cookie, and the address is cleaned.
    WithCookie(String),
}

impl Guard {
    fn admits(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Admitted, Refusal> {
        let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if header_bytes > HEADER_BYTES {
            return Err((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too large"));
        }
        if uri.to_string().len() > URI_BYTES {
            return Err((StatusCode::URI_TOO_LONG, "the address is too long"));
        }
        if has_detours(uri.path()) {
            return Err((StatusCode::BAD_REQUEST, "there are no paths with detours here"));
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_for_us = uri.authority().is_none_or(|authority| authority.as_str() == host) && self.is_ours(host);
        if !is_for_us {
            return Err((StatusCode::MISDIRECTED_REQUEST, "this server does not have that name"));
        }
        let admitted = self.knows_token(uri, headers)?;
        if method == Method::GET || method == Method::HEAD {
            return Ok(admitted);
        }
        self.may_change(method, host, headers)?;
        Ok(Admitted::Yes)
    }

    /// On the loopback a request has to be for the loopback: names that lead there could be anybody's.
    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        if !self.address.ip().is_loopback() {
            return !name.is_empty();
        }
        port == Some(self.address.port()) && ["localhost", "127.0.0.1", "[::1]"].contains(&name)
    }

    fn knows_token(&self, uri: &Uri, headers: &HeaderMap) -> Result<Admitted, Refusal> {
        let Some(token) = &self.token else { return Ok(Admitted::Yes) };
        let in_address =
            uri.query().into_iter().flat_map(|query| query.split('&')).find_map(|pair| pair.strip_prefix("token="));
        if in_address.is_some_and(|given| is_same(given, token)) && uri.path() == "/" {
            return Ok(Admitted::WithCookie(token.clone()));
        }
        let text = |name: HeaderName| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let bearer =
            text(AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer ")).any(|given| is_same(given, token));
        let cookie = text(COOKIE)
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
            .any(|given| is_same(given, token));
        if bearer || cookie {
            return Ok(Admitted::Yes);
        }
        Err((StatusCode::UNAUTHORIZED, "open the address with the token that `reelnet library serve` printed"))
    }

    fn may_change(&self, method: &Method, host: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        if method != Method::POST && method != Method::DELETE {
            return Err((StatusCode::METHOD_NOT_ALLOWED, "nothing here is asked for like that"));
        }
        if self.edits == Edits::Refused {
            return Err((
                StatusCode::FORBIDDEN,
                "the library is shown read-only; `reelnet library serve --edit` takes corrections",
            ));
        }
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        // Browsers say where a request comes from; programs need not.
        if text(ORIGIN).is_some_and(|origin| origin.split_once("://").is_none_or(|(_, from)| from != host)) {
            return Err((StatusCode::FORBIDDEN, "the request comes from another page"));
        }
        // Other pages can send forms, and no JSON.
        if method == Method::POST && text(CONTENT_TYPE).is_none_or(|kind| !kind.starts_with("application/json")) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/json"));
        }
        let length = text(axum::http::header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if method == Method::POST && length.is_none_or(|length| length > BODY_BYTES) {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "expected a Content-Length of at most 16 kB"));
        }
        Ok(())
    }
}

/// `..`, backslashes, zeros and slashes in disguise: no address of ours has them, whoever resolves them.
fn has_detours(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let hidden = ["%2f", "%5c", "%2e", "%00", "\\", "//", "%25"];
    hidden.iter().any(|hidden| lower.contains(hidden)) || lower.split('/').any(|part| part == ".." || part == ".")
}

/// Takes the same time wherever two texts differ.
fn is_same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |differences, (a, b)| differences | (a ^ b));
    given.len() == token.len() && differences == 0
}

fn remember(uri: &Uri, token: &str) -> Response {
    let rest: Vec<&str> =
        uri.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("token=")).collect();
    let place = if rest.is_empty() { "/".to_owned() } else { format!("/?{}", rest.join("&")) };
    let cookie = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict");
    (StatusCode::SEE_OTHER, [(LOCATION, place), (SET_COOKIE, cookie)]).into_response()
}

fn hardened(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(address: &str, token: Option<&str>, edits: Edits) -> Guard {
        Guard { address: address.parse().expect("an address"), token: token.map(str::to_owned), edits }
    }

    fn ask(guard: &Guard, method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<Admitted, StatusCode> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        guard.admits(&method, &uri.parse().expect("an address"), &map).map_err(|(status, _)| status)
    }

    const HOME: (&str, &str) = ("host", "127.0.0.1:8765");

    #[test]
    fn other_names_and_detours_are_turned_away() {
        let guard = guard("127.0.0.1:8765", None, Edits::Refused);
        assert_eq!(ask(&guard, "GET", "/api/files", &[HOME]), Ok(Admitted::Yes));
        assert_eq!(ask(&guard, "GET", "/", &[("host", "localhost:8765")]), Ok(Admitted::Yes));
        for host in ["evil.example:8765", "127.0.0.1:80", "127.0.0.1", "localhost.evil.example:8765", "", "[::1]:1"] {
            assert_eq!(ask(&guard, "GET", "/", &[("host", host)]), Err(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        assert_eq!(ask(&guard, "GET", "/", &[]), Err(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(ask(&guard, "GET", "http://evil.example/", &[HOME]), Err(StatusCode::MISDIRECTED_REQUEST));
        for path in [
            "/media/../etc/passwd",
            "/media/%2e%2e/x",
            "/media/1%2F2",
            "/a/..",
            "//etc/passwd",
            "/media/%5c",
            "/media/1%00",
            "/%252e",
        ] {
            assert_eq!(ask(&guard, "GET", path, &[HOME]), Err(StatusCode::BAD_REQUEST), "{path}");
        }
        let large = "x".repeat(20 << 10);
        assert_eq!(
            ask(&guard, "GET", "/", &[HOME, ("x-large", &large)]),
            Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        );
        assert_eq!(ask(&guard, "GET", &format!("/?{large}"), &[HOME]), Err(StatusCode::URI_TOO_LONG));
    }

    #[test]
    fn nothing_is_changed_by_chance_or_from_elsewhere() {
        let json = ("content-type", "application/json");
        let length = ("content-length", "20");
        let edit = guard("127.0.0.1:8765", None, Edits::Allowed);
        let post = |guard: &Guard, headers: &[(&str, &str)]| ask(guard, "POST", "/api/files/1/corrections", headers);
        assert_eq!(post(&edit, &[HOME, json, length]), Ok(Admitted::Yes));
        assert_eq!(post(&edit, &[HOME, json, length, ("origin", "http://127.0.0.1:8765")]), Ok(Admitted::Yes));
        assert_eq!(post(&edit, &[HOME, json, length, ("origin", "http://evil.example")]), Err(StatusCode::FORBIDDEN));
        assert_eq!(post(&edit, &[HOME, json, length, ("origin", "null")]), Err(StatusCode::FORBIDDEN));
        assert_eq!(
            post(&edit, &[HOME, length, ("content-type", "text/plain")]),
            Err(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        assert_eq!(post(&edit, &[HOME, json, ("content-length", "999999")]), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(post(&edit, &[HOME, json]), Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(ask(&edit, "PUT", "/", &[HOME]), Err(StatusCode::METHOD_NOT_ALLOWED));
        let shown = guard("127.0.0.1:8765", None, Edits::Refused);
        assert_eq!(post(&shown, &[HOME, json, length]), Err(StatusCode::FORBIDDEN));
        assert_eq!(ask(&shown, "DELETE", "/api/corrections/1", &[HOME]), Err(StatusCode::FORBIDDEN));
    }

    #[test]
    fn a_token_is_asked_for_and_remembered() {
        let guard = guard("192.0.2.1:8765", Some("correct-horse"), Edits::Refused);
        let host = ("host", "nas.local:8765");
        assert_eq!(ask(&guard, "GET", "/", &[host]), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(ask(&guard, "GET", "/?token=wrong", &[host]), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(
            ask(&guard, "GET", "/?token=correct-horse", &[host]),
            Ok(Admitted::WithCookie("correct-horse".to_owned()))
        );
        assert_eq!(ask(&guard, "GET", "/media/1?token=correct-horse", &[host]), Err(StatusCode::UNAUTHORIZED));
        let cookie = ("cookie", "a=b; reelnet_token=correct-horse");
        assert_eq!(ask(&guard, "GET", "/media/1", &[host, cookie]), Ok(Admitted::Yes));
        assert_eq!(
            ask(&guard, "GET", "/", &[host, ("cookie", "reelnet_token=correct-hors")]),
            Err(StatusCode::UNAUTHORIZED)
        );
        assert_eq!(ask(&guard, "GET", "/", &[host, ("authorization", "Bearer correct-horse")]), Ok(Admitted::Yes));
        let answer = remember(&"/?token=correct-horse&q=dog".parse().expect("an address"), "correct-horse");
        assert_eq!(answer.headers()[LOCATION], "/?q=dog");
        assert!(answer.headers()[SET_COOKIE].to_str().is_ok_and(|cookie| cookie.contains("HttpOnly; SameSite=Strict")));
    }
}
