//! Addresses of object stores. Pure: text in, parts out.

use std::fmt;
use std::path::{Path, PathBuf};

use object_store::ObjectStoreScheme;
use object_store::path::Path as Key;
use url::Url;

use crate::LibraryError;

/// What an address may begin with.
const SCHEMES: [&str; 10] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "http", "https"];
/// Schemes of Azure, where the name of a container may stand before an `@`.
const AZURE: [&str; 5] = ["az", "azure", "adl", "abfs", "abfss"];

/// The address of a folder or an object in a store, such as `s3://bucket/films`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// As people and the library's store see it: what follows the host is the key as it is, without escapes.
    text: String,
    pub(super) url: Url,
    pub(super) scheme: ObjectStoreScheme,
    /// Within the bucket.
    pub(super) key: Key,
}

impl Address {
    /// Whether a path is meant as an address: it begins with a scheme.
    pub fn is_meant(path: &Path) -> bool {
        let scheme = path.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
        scheme.is_some_and(|scheme| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
        })
    }

    /// From the words of a person, in which `%20` is a space.
    ///
    /// # Errors
    /// If it is no address, or holds a key, a password or a signature: what is in an address would be stored and shown.
    pub fn parse(text: &str) -> Result<Self, LibraryError> {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        if !SCHEMES.contains(&scheme.as_str()) {
            let wrong = format!(
                "`{scheme}://` is no object store that is known; s3://, gs://, az://, abfs://, http:// and https:// are"
            );
            return Err(LibraryError::Wish(wrong));
        }
        // Of an address that is refused no more is told than its scheme: the rest may hold a secret.
        let refused = |detail: &str| LibraryError::Wish(format!("the address `{scheme}://…` {detail}"));
        let url = Url::parse(text)
            .map_err(|error| refused(&format!("is none: {error}; expected one such as s3://bucket/folder")))?;
        if url.password().is_some() || (!url.username().is_empty() && !AZURE.contains(&scheme.as_str())) {
            return Err(refused(
                "holds a key or a password, which would be stored and shown; set them in the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused(
                "has a part behind `?` or `#`, which would be stored and shown; keys belong into the environment, and in a name these are written %3F and %23",
            ));
        }
        let path = Key::from_url_path(url.path()).map_err(|error| refused(&format!("is none: {error}")))?;
        Self::of(url, &path).map_err(|detail| refused(&detail))
    }

    /// From a path that the library's store holds.
    ///
    /// # Errors
    /// If it is no address.
    pub fn stored(path: &Path) -> Result<Self, LibraryError> {
        let wrong = |detail: &str| LibraryError::Wish(format!("`{}` is no address: {detail}", path.display()));
        let text = path.to_str().ok_or_else(|| wrong("it is no UTF-8"))?;
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let (host, key) = rest.split_once('/').unwrap_or((rest, ""));
        let key = Key::parse(key).map_err(|error| wrong(&error.to_string()))?;
        let mut url = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| wrong(&error.to_string()))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(key.parts().map(|part| part.as_ref().to_owned()));
        }
        Self::of(url, &key).map_err(|detail| wrong(&detail))
    }

    fn of(url: Url, path: &Key) -> Result<Self, String> {
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or("names no bucket; expected one such as s3://bucket/folder")?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let container = if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) };
        let slash = if path.as_ref().is_empty() { "" } else { "/" };
        let text = format!("{}://{container}{host}{port}{slash}{path}", url.scheme());
        let (scheme, key) = ObjectStoreScheme::parse(&url).map_err(|error| format!("is none: {error}"))?;
        Ok(Self { text, url, scheme, key })
    }

    /// As the library's store has it.
    pub fn to_path(&self) -> PathBuf {
        PathBuf::from(&self.text)
    }

    /// The key of an object below it.
    pub(super) fn key_of(&self, path: &Path) -> Option<Key> {
        let below = path.to_str()?.strip_prefix(&self.text)?.strip_prefix('/')?;
        Key::parse(if self.key.as_ref().is_empty() { below.to_owned() } else { format!("{}/{below}", self.key) }).ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, String> {
        Address::parse(text).map(|address| address.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_told_from_paths() {
        for (path, is_meant) in [
            ("s3://bucket", true),
            ("ftp://x", true),
            ("/films", false),
            ("films://", true),
            ("a b://c", false),
            ("s3:/x", false),
        ] {
            assert_eq!(Address::is_meant(Path::new(path)), is_meant, "{path}");
        }
    }

    #[test]
    fn addresses_come_back_from_the_store() {
        for (written, stored, key) in [
            ("s3://bucket", "s3://bucket", ""),
            ("s3://bucket/films/", "s3://bucket/films", "films"),
            ("s3://bucket/my%20films/50%25", "s3://bucket/my films/50%", "my films/50%"),
            ("gs://bucket/été", "gs://bucket/été", "été"),
            ("az://films@account/a", "az://films@account/a", "a"),
            ("http://127.0.0.1:9000/dav/films", "http://127.0.0.1:9000/dav/films", "dav/films"),
            (
                "https://s3.eu-west-1.amazonaws.com/bucket/films",
                "https://s3.eu-west-1.amazonaws.com/bucket/films",
                "films",
            ),
        ] {
            let address = Address::parse(written).expect("an address");
            assert_eq!((address.to_string().as_str(), address.key.as_ref()), (stored, key));
            let again = Address::stored(&address.to_path()).expect("an address");
            assert_eq!((again.to_string(), again.key), (address.to_string(), address.key));
        }
        let address = Address::parse("s3://bucket/films").expect("an address");
        assert_eq!(
            address.key_of(Path::new("s3://bucket/films/a/b #1%20.mp4")).expect("a key").as_ref(),
            "films/a/b #1%20.mp4"
        );
        assert_eq!(address.key_of(Path::new("s3://bucket/films2/a.mp4")), None);
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        for address in [
            "s3://AKIA:hush@bucket/films",
            "s3://hush@bucket/films",
            "https://host/films?X-Amz-Signature=hush",
            "az://films:hush@account/a",
            "http://user:hush@host:badport/",
        ] {
            let error = parsed(address).expect_err("a secret");
            assert!(!error.contains("hush") && !error.contains("AKIA"), "{error}");
        }
        assert!(parsed("ftp://host/films").is_err_and(|error| error.contains("s3://")));
        assert!(parsed("s3:///films").is_err_and(|error| error.contains("no bucket")));
    }
}
