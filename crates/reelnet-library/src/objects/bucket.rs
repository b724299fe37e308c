//! A root in a store: listed, asked for the state of an object, and read by ranges.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path as Key;
use object_store::{
    ClientOptions, Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    ObjectStoreScheme, RetryConfig,
};
use tokio::runtime::Runtime;
use url::Position;

use super::address::Address;
use crate::LibraryError;
use crate::identity::{self, ContentHash, Identity};

/// A request that fails for a reason that may pass is made again so often, and within this time.
const RETRIES: usize = 4;
const RETRY_TIME: Duration = Duration::from_secs(20);
/// How long a store that was away is left alone by those who only want to know whether something is there.
const AWAY_REST: Duration = Duration::from_secs(10);
/// Letters of a store's own words at most.
const WORDS: usize = 300;

/// A root in a store.
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    address: Address,
    runtime: &'static Runtime,
    /// When the store was last away.
    away: Mutex<Option<(Instant, Failure)>>,
}

/// What tells the state of an object from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObjectState {
    pub(crate) bytes: u64,
    pub(crate) modified_ns: i64,
    /// Its `ETag`; empty if nobody tells.
    pub(crate) version: String,
}

/// Why something of a store cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not the object that was scanned.
    Changed,
    /// There is no such object, or no such bucket.
    Missing,
    /// The store says no, with a reason.
    Refused(String),
    /// The store could not be asked, or did not answer.
    Away(String),
}

/// Bytes of an object, as they come.
pub(crate) type Slice = BoxStream<'static, Result<Bytes, Failure>>;

/// Which part of an object is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    Part(Range<u64>),
}

impl Bucket {
    /// Of a root, the same for whoever asks: connections are shared.
    pub(crate) fn of(root: &Path) -> Result<Arc<Self>, LibraryError> {
        static BUCKETS: OnceLock<Mutex<HashMap<PathBuf, Arc<Bucket>>>> = OnceLock::new();
        let mut buckets = BUCKETS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(root) {
            return Ok(Arc::clone(bucket));
        }
        let address = Address::stored(root)?;
        let bucket = Arc::new(Self { store: store(&address)?, address, runtime: runtime()?, away: Mutex::default() });
        buckets.insert(root.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }

    /// Of a store that a test made.
    #[cfg(test)]
    pub(super) fn over(store: Arc<dyn ObjectStore>, address: &str) -> Result<Arc<Self>, LibraryError> {
        let address = Address::parse(address)?;
        Ok(Arc::new(Self { store, address, runtime: runtime()?, away: Mutex::default() }))
    }

    /// The key of an object that lies at a path.
    pub(crate) fn key_of(&self, path: &Path) -> Result<Key, Failure> {
        self.address
            .key_of(path)
            .ok_or_else(|| Failure::Refused(format!("`{}` is no name of an object", path.display())))
    }

    /// Whether it lets itself be listed, and holds anything.
    pub(crate) fn ask(&self) -> Result<Content, Failure> {
        let mut listing = self.store.list(Some(&self.address.key));
        match self.runtime.block_on(listing.next()) {
            Some(Ok(_)) => Ok(Content::Something),
            None => Ok(Content::Nothing),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Shows everything below it, as the path below the root. A visitor who has seen enough says so.
    pub(crate) fn list(&self, mut visit: impl FnMut(&str, ObjectState) -> Visit) -> Result<(), Failure> {
        let mut listing = self.store.list(Some(&self.address.key));
        let prefix = self.address.key.as_ref();
        while let Some(meta) = self.runtime.block_on(listing.next()) {
            let meta = meta?;
            let key = meta.location.as_ref();
            let below = if prefix.is_empty() {
                Some(key)
            } else {
                key.strip_prefix(prefix).and_then(|key| key.strip_prefix('/'))
            };
            if let Some(below) = below
                && visit(below, ObjectState::of(&meta)) == Visit::Ends
            {
                break;
            }
        }
        Ok(())
    }

    /// The state of an object as it is now. A store that was away a moment ago is not asked again: a queue of objects would take hours
    /// to learn that none of them can be had.
    pub(crate) fn state(&self, key: &Key) -> Result<ObjectState, Failure> {
        let away = || self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let last = away().clone();
        if let Some((since, failure)) = last
            && since.elapsed() < AWAY_REST
        {
            return Err(failure);
        }
        let state = self.runtime.block_on(self.store.head(key)).map_err(Failure::from);
        *away() = match &state {
            Err(failure @ Failure::Away(_)) => Some((Instant::now(), failure.clone())),
            _ => None,
        };
        Ok(ObjectState::of(&state?))
    }

    /// Bytes of an object, if it is still the one that was scanned.
    pub(crate) fn read(&self, key: &Key, range: Range<u64>, state: &ObjectState) -> Result<Vec<u8>, Failure> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = self
            .runtime
            .block_on(async { Ok::<_, Failure>(self.get(key, Wanted::Part(range), state).await?.bytes().await?) });
        Ok(bytes?.into())
    }

    /// A small object, whole.
    pub(crate) fn read_whole(&self, key: &Key, state: &ObjectState) -> Result<Vec<u8>, Failure> {
        self.read(key, 0..state.bytes, state)
    }

    /// The hash of an object's content: the one that a file of the same content has.
    pub(crate) fn hash(&self, key: &Key, state: &ObjectState, identity: Identity) -> Result<String, Failure> {
        let mut hash = ContentHash::new(state.bytes, identity);
        let parts = identity::parts(state.bytes, identity).into_iter().filter(|part| !part.is_empty());
        self.runtime.block_on(async {
            if identity == Identity::Whole {
                for part in parts {
                    let mut stream = self.get(key, Wanted::Part(part), state).await?.into_stream();
                    while let Some(bytes) = stream.try_next().await? {
                        hash.update(&bytes);
                    }
                }
                return Ok(hash.text());
            }
            let asked = parts
                .map(|part| async { Ok::<_, Failure>(self.get(key, Wanted::Part(part), state).await?.bytes().await?) });
            try_join_all(asked).await?.iter().for_each(|part| hash.update(part));
            Ok(hash.text())
        })
    }

    /// A part of an object as it comes, however large it is.
    pub(crate) async fn slice(&self, key: &Key, wanted: Wanted, state: &ObjectState) -> Result<Slice, Failure> {
        let got = self.get(key, wanted, state).await?;
        Ok(got.into_stream().map_err(Failure::from).boxed())
    }

    async fn get(&self, key: &Key, wanted: Wanted, state: &ObjectState) -> Result<GetResult, Failure> {
        let range = match wanted {
            Wanted::All => None,
            Wanted::Part(range) => Some(GetRange::Bounded(range)),
        };
        let got = self.store.get_opts(key, GetOptions { range, ..GetOptions::default() }).await?;
        if state.is_still(&ObjectState::of(&got.meta)) { Ok(got) } else { Err(Failure::Changed) }
    }
}

/// Whether anything is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Something,
    Nothing,
}

/// Whether a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    GoesOn,
    Ends,
}

impl ObjectState {
    fn of(meta: &ObjectMeta) -> Self {
        Self {
            bytes: meta.size,
            modified_ns: meta.last_modified.timestamp_nanos_opt().unwrap_or(0),
            // Azure's listings leave out the quotes that its answers have.
            version: meta.e_tag.as_deref().unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned(),
        }
    }

    /// Whether both can be of one state. Listings tell fractions of seconds where answers tell none, and some tell no `ETag`.
    pub(crate) fn is_still(&self, now: &Self) -> bool {
        let second = |state: &Self| state.modified_ns.div_euclid(1_000_000_000);
        let is_same_version = self.version == now.version || self.version.is_empty() || now.version.is_empty();
        let is_same_second = second(self) == second(now) || self.modified_ns <= 0 || now.modified_ns <= 0;
        self.bytes == now.bytes && is_same_version && is_same_second
    }
}

/// What lives as long as the process: requests that nobody waits for any longer end on it.
pub(super) fn runtime() -> Result<&'static Runtime, LibraryError> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("reelnet-objects")
        .enable_all()
        .build();
    let made =
        made.map_err(|error| LibraryError::Wish(format!("cannot start the thread that asks object stores: {error}")))?;
    Ok(RUNTIME.get_or_init(|| made))
}

/// The client of a store, with what the environment says of it.
fn store(address: &Address) -> Result<Arc<dyn ObjectStore>, LibraryError> {
    // Which of its providers TLS takes; somebody else may have said so before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let retry = || RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() };
    let url = address.url.as_str();
    let made: Result<Arc<dyn ObjectStore>, Error> = match address.scheme {
        ObjectStoreScheme::AmazonS3 => {
            AmazonS3Builder::from_env().with_url(url).with_retry(retry()).build().map(|store| Arc::new(store) as _)
        }
        ObjectStoreScheme::GoogleCloudStorage => GoogleCloudStorageBuilder::from_env()
            .with_url(url)
            .with_retry(retry())
            .build()
            .map(|store| Arc::new(store) as _),
        ObjectStoreScheme::MicrosoftAzure => MicrosoftAzureBuilder::from_env()
            .with_url(url)
            .with_retry(retry())
            .build()
            .map(|store| Arc::new(store) as _),
        // Whoever writes http:// knows that it is not encrypted.
        _ => HttpBuilder::new()
            .with_url(&address.url[..Position::BeforePath])
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_retry(retry())
            .build()
            .map(|store| Arc::new(store) as _),
    };
    made.map_err(|error| LibraryError::Wish(format!("`{address}` cannot be asked: {}", words(&error))))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let words = words(&error);
        match &error {
            Error::NotFound { .. } => Self::Missing,
            Error::Precondition { .. } => Self::Changed,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Self::Refused(words),
            // Listings have one kind of error for all.
            _ if ["401 Unauthorized", "403 Forbidden"].iter().any(|status| words.contains(status)) => {
                Self::Refused(words)
            }
            _ if words.contains("404 Not Found") => Self::Missing,
            _ => Self::Away(words),
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        let kind = match failure {
            Failure::Missing => io::ErrorKind::NotFound,
            Failure::Refused(_) => io::ErrorKind::PermissionDenied,
            Failure::Changed | Failure::Away(_) => io::ErrorKind::Other,
        };
        Self::new(kind, failure.to_string())
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => out.write_str("has changed since it was scanned; the next scan looks at it again"),
            Self::Missing => out.write_str("is not there: the store knows no such bucket, folder or object"),
            Self::Refused(words) => write!(
                out,
                "is refused by its store ({words}); the environment has to hold keys that may list and read it, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ),
            Self::Away(words) => write!(out, "cannot be had: its store is away or does not answer ({words})"),
        }
    }
}

/// What a store says, in a line without what may be a secret: signatures stand behind the question mark of an address.
fn words(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    let mut told = error.to_string();
    while let Some(source) = innermost.source() {
        innermost = source;
        let text = source.to_string();
        // The last one that says more than a word.
        if text.len() > 20 {
            told = text;
        }
    }
    shortened(&told)
}

fn shortened(text: &str) -> String {
    // Stores answer in XML, of which the code says it: `<Code>SignatureDoesNotMatch</Code>`.
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let before = text.split_once('<').map_or(text, |(before, _)| before).trim_end_matches([' ', ':']);
    let told = code.map_or_else(|| before.to_owned(), |code| format!("{before}: {code}"));
    let word = |word: &str| match word.split_once('?') {
        // A bracket that closes before the address ends with it.
        Some((address, query)) if address.contains("://") => {
            format!("{address}?…{}", query.find(')').map_or("", |end| &query[end..]))
        }
        _ => word.to_owned(),
    };
    let short = told.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    short.chars().filter(|letter| !letter.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_not_repeated() {
        let text = "error sending request for url (https://a.blob/c?sig=hush&se=1): refused\n  by x";
        assert_eq!(shortened(text), "error sending request for url (https://a.blob/c?…): refused by x");
        let answer = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><a/></Error>";
        assert_eq!(shortened(answer), "Server returned non-2xx status code: 403 Forbidden: AccessDenied");
        assert_eq!(shortened(&"long ".repeat(200)).len(), WORDS);
    }

    #[test]
    fn a_state_is_told_by_all_that_is_known_of_it() {
        let state = |bytes, modified_ns, version: &str| ObjectState { bytes, modified_ns, version: version.to_owned() };
        let scanned = state(10, 5_250_000_000, "a");
        assert!(scanned.is_still(&state(10, 5_000_000_000, "a")));
        assert!(scanned.is_still(&state(10, 0, "")));
        assert!(!scanned.is_still(&state(10, 5_000_000_000, "b")));
        assert!(!scanned.is_still(&state(10, 6_000_000_000, "a")));
        assert!(!scanned.is_still(&state(11, 5_000_000_000, "a")));
    }
}
